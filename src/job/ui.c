/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The progress line is redrawn in place; a note that comes in between erases
 * it first, so that the two never share a line.  The rate is the average
 * since the start: it is what the time left is computed from, and it does
 * not flicker.
 */
#include "job/ui.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_MS 100
#define BAR_CELLS 24
#define BAR_CELLS_MIN 6
#define UI_LINE_BYTES 1024 /* of one that somebody else passes on */

uint64_t ui_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

struct ui ui_init(void)
{
	return (struct ui){.progress = isatty(STDERR_FILENO)};
}

/* Of the terminal; of a usual one where there is none. */
static size_t columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col
		       ? size.ws_col
		       : 80;
}

static void erase(struct ui *ui)
{
	if (ui->nr_drawn > 1)
		fprintf(stderr, "\033[%zuA", ui->nr_drawn - 1);
	if (ui->nr_drawn)
		fputs("\r\033[J", stderr);
	ui->nr_drawn = 0;
}

/* A line that wraps could not be taken back. */
static int cut(const char *line, size_t room)
{
	size_t length = strlen(line);

	if (length <= room)
		return length;
	while (room && (line[room] & 0xc0) == 0x80)
		room--;
	return room;
}

void ui_draw(struct ui *ui, const char *const lines[], size_t nr_lines)
{
	size_t room = columns() - 1;

	if (!ui->progress || ui->quiet)
		return;
	erase(ui);
	for (size_t i = 0; i < nr_lines; i++)
		fprintf(stderr, "%s%.*s", i ? "\n" : "", cut(lines[i], room),
			lines[i]);
	ui->nr_drawn = nr_lines;
	fflush(stderr);
}

void ui_relay(struct ui *ui, const char *line)
{
	erase(ui);
	fprintf(stderr, "%s\n", line);
}

static void say(struct ui *ui, bool is_warning, const char *format, va_list ap)
{
	char text[UI_LINE_BYTES];

	if (ui->say) {
		vsnprintf(text, sizeof(text), format, ap);
		ui->say(ui->opaque, is_warning, text);
		return;
	}
	erase(ui);
	if (is_warning)
		fputs("warning: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void ui_note(struct ui *ui, const char *format, ...)
{
	va_list ap;

	if (ui->quiet)
		return;
	va_start(ap, format);
	say(ui, false, format, ap);
	va_end(ap);
}

void ui_warn(struct ui *ui, const char *format, ...)
{
	va_list ap;

	ui->nr_warnings++;
	va_start(ap, format);
	say(ui, true, format, ap);
	va_end(ap);
}

char *ui_size(char out[16], uint64_t bytes)
{
	static const char *const units[] = {"B",   "KiB", "MiB",
					    "GiB", "TiB", "PiB"};
	double value = bytes;
	unsigned int unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 16, unit && value < 100 ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
	return out;
}

char *ui_age(char out[32], int64_t seconds)
{
	if (seconds < 0)
		return strcpy(out, "-");
	if (seconds < 120)
		snprintf(out, 32, "%" PRId64 " s", seconds);
	else if (seconds < 2 * 3600)
		snprintf(out, 32, "%" PRId64 " min", seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(out, 32, "%" PRId64 " h", seconds / 3600);
	else
		snprintf(out, 32, "%" PRId64 " days", seconds / 86400);
	return out;
}

char *ui_duration(char out[32], uint64_t seconds)
{
	if (seconds < 60)
		snprintf(out, 32, "%" PRIu64 " s", seconds);
	else if (seconds < 3600)
		snprintf(out, 32, "%" PRIu64 " min %02" PRIu64 " s",
			 seconds / 60, seconds % 60);
	else
		snprintf(out, 32, "%" PRIu64 " h %02" PRIu64 " min",
			 seconds / 3600, seconds / 60 % 60);
	return out;
}

void ui_progress_start(struct ui *ui, const char *label)
{
	snprintf(ui->label, sizeof(ui->label), "%s", label);
	ui->started_ms = ui_now_ms();
	ui->drawn_ms = 0;
}

/* Label and bar in front of @text; the bar is what has to give way. */
static void add_bar(const struct ui *ui, char *text, size_t size, double part)
{
	char numbers[256];
	size_t used = strlen(ui->label) + strlen(text) + sizeof(" [] ");
	size_t room = columns() > used ? columns() - used : 0;
	int cells = room < BAR_CELLS ? room : BAR_CELLS;
	int full = part * cells;

	snprintf(numbers, sizeof(numbers), "%s", text);
	if (cells < BAR_CELLS_MIN)
		snprintf(text, size, "%s %s", ui->label, numbers);
	else
		snprintf(text, size, "%s [%.*s%*s] %s", ui->label, full,
			 "========================", cells - full, "", numbers);
}

void ui_progress(struct ui *ui, uint64_t done_bytes, uint64_t total_bytes)
{
	uint64_t now_ms = ui_now_ms(), spent_ms = now_ms - ui->started_ms;
	char done[16], total[16], rate[16], left[32] = "";
	double part = total_bytes ? (double)done_bytes / total_bytes : 1;
	char text[256];
	const char *const lines[] = {text};

	if (!ui->progress || ui->quiet || now_ms - ui->drawn_ms < REDRAW_MS)
		return;
	ui->drawn_ms = now_ms;
	if (done_bytes)
		ui_duration(left, (total_bytes - done_bytes) *
					  (double)spent_ms / done_bytes / 1000);
	ui_size(rate, spent_ms ? done_bytes * 1000.0 / spent_ms : 0);
	ui_size(done, done_bytes);
	ui_size(total, total_bytes);
	snprintf(text, sizeof(text), "%3.0f %%  %s of %s  %s/s  %s%s",
		 part * 100, done, total, rate, left, *left ? " left" : "");
	add_bar(ui, text, sizeof(text), part);
	ui_draw(ui, lines, 1);
}

void ui_progress_end(struct ui *ui)
{
	erase(ui);
	fflush(stderr);
}
