/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person sees while a job runs: notes and warnings, a line each on
 * stderr, and a progress line with rate and time left, on a terminal or when
 * asked for.  stdout is for results alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ui {
	bool quiet;
	bool progress; /* draw the progress line */
	unsigned int nr_warnings;
	/* Who passes on what there is to say, in place of stderr; may be NULL. */
	void (*say)(void *opaque, bool is_warning, const char *text);
	void *opaque;
	/* the progress line being drawn */
	char label[64];
	uint64_t started_ms, drawn_ms;
	size_t nr_drawn; /* lines on the terminal now */
};

/* Progress if stderr is a terminal, not quiet. */
struct ui ui_init(void);

/* Something worth knowing; silent with -q. */
void ui_note(struct ui *ui, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Something that the admin must look at; never silent, and counted. */
void ui_warn(struct ui *ui, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line that another process had to say, which is never silent. */
void ui_relay(struct ui *ui, const char *line);

/* Starts a progress line that is labelled @label. */
void ui_progress_start(struct ui *ui, const char *label);
/* Redraws it, at most ten times a second. */
void ui_progress(struct ui *ui, uint64_t done_bytes, uint64_t total_bytes);
/* Draws these lines in its place, each cut to the terminal's width. */
void ui_draw(struct ui *ui, const char *const lines[], size_t nr_lines);
/* Takes it off the terminal again. */
void ui_progress_end(struct ui *ui);

/* "1.4 GiB", in @out, which is returned. */
char *ui_size(char out[16], uint64_t bytes);
/* How long ago: "12 min", rounded down; "-" for what is still to come. */
char *ui_age(char out[32], int64_t seconds);
/* "1 h 02 min", "12 s". */
char *ui_duration(char out[32], uint64_t seconds);

/* Milliseconds of a clock that is never set. */
uint64_t ui_now_ms(void);
