/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ctrl-C and SIGTERM are a wish, not an end: they set a flag, and the job
 * stops where it can put everything back.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Catches SIGINT, SIGTERM and SIGHUP from now on. Returns the flag that they
 * set; it stays valid for ever. System calls are not restarted, so that a
 * wait ends too.
 */
const volatile sig_atomic_t *interrupt_catch(void);

/* From now on, whichever thread they come to, the process goes on to its end,
 * and the flag is unset, and set when @within_ms are over; 0: never. True: it
 * was set. */
bool interrupt_ignore(uint32_t within_ms);
