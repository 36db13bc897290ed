/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka, without its macro fail(): base/err.h has a function of that name. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail

/* Ends the test, with a printf-style line that says why. */
#define test_failed(...)                   \
	do {                               \
		print_error(__VA_ARGS__);  \
		print_error("\n");         \
		_fail(__FILE__, __LINE__); \
	} while (0)
