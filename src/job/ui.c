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
#include <time.h>
#include <unistd.h>

#define REDRAW_MS 100
#define BAR_CELLS 24

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

static void erase(struct ui *ui)
{
	if (ui->drawn)
		fputs("\r\033[K", stderr);
	ui->drawn = false;
}

void ui_note(struct ui *ui, const char *format, ...)
{
	va_list ap;

	if (ui->quiet)
		return;
	erase(ui);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void ui_warn(struct ui *ui, const char *format, ...)
{
	va_list ap;

	ui->nr_warnings++;
	erase(ui);
	fputs("warning: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
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

void ui_progress(struct ui *ui, uint64_t done_bytes, uint64_t total_bytes)
{
	uint64_t now_ms = ui_now_ms(), spent_ms = now_ms - ui->started_ms;
	char done[16], total[16], rate[16], left[32] = "";
	double part = total_bytes ? (double)done_bytes / total_bytes : 1;
	int cells = part * BAR_CELLS;

	if (!ui->progress || ui->quiet || now_ms - ui->drawn_ms < REDRAW_MS)
		return;
	ui->drawn_ms = now_ms;
	if (done_bytes)
		ui_duration(left, (total_bytes - done_bytes) *
					  (double)spent_ms / done_bytes / 1000);
	ui_size(rate, spent_ms ? done_bytes * 1000.0 / spent_ms : 0);
	fprintf(stderr, "\r\033[K%s [%.*s%*s] %3.0f %%  %s of %s  %s/s  %s%s",
		ui->label, cells, "========================", BAR_CELLS - cells,
		"", part * 100, ui_size(done, done_bytes),
		ui_size(total, total_bytes), rate, left, *left ? " left" : "");
	ui->drawn = true;
}

void ui_progress_end(struct ui *ui)
{
	erase(ui);
	fflush(stderr);
}
