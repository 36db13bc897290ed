/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share.  A target is one file, fuzz-NAME.c, that has
 * fuzz_one(); tests/fuzz/meson.build lists them, seeds are in corpus/NAME/ or
 * come from make-seeds.c, and ci/fuzz runs them.
 *
 * A target says what must be true of anything that was accepted, with
 * promise(): that nothing crashes is the least of it.  Of every input it is
 * promised here that it takes less than a second of processor time, and opens
 * no file but those of fuzz_dir() and what places.c lets through.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the run, as a finding, unless @condition is true. */
#define promise(condition) \
	((condition) ? (void)0 : promise_broken(__FILE__, __LINE__, #condition))
void promise_broken(const char *file, int line, const char *condition)
	__attribute__((noreturn));

/* One input. Keeps nothing that a later one could notice. */
void fuzz_one(const uint8_t *data, size_t size);

/* True while it runs: what the fuzzer itself does is its own business. */
extern bool fuzz_is_running;

/* A directory of this run's own, in memory if there is such a place. */
const char *fuzz_dir(void);

/* Makes @name in it, a path of at most one directory that is there, with this
 * content. Returns its path, valid until the next call. */
const char *fuzz_file(const char *name, const void *content, size_t size);

/* Empties it but for directories. */
void fuzz_forget_files(void);

/* -------------------------------------------------- an input as a list */

/* What is left of an input; what is not there any more is zero. */
struct input {
	const uint8_t *at;
	size_t left;
};

uint8_t input_byte(struct input *input);
/* The next @size bytes, fewer at the end, zeroes behind them. */
void input_bytes(struct input *input, void *to, size_t size);
/* A copy of the rest with a zero byte behind it, for the caller to free. */
char *input_text(struct input *input);
