/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random ids as the kernel makes them: 36 characters, lower case. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UUID_SIZE 37 /* with its terminating zero */

struct err;

/* Fills @ret_uuid from the kernel's generator. */
int uuid_new(char ret_uuid[UUID_SIZE], struct err *err);
/* True for xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in hexadecimal digits. */
bool uuid_valid(const char *text);
/* The text of 16 bytes as they are stored; "" if all of them are zero. */
void uuid_format(const uint8_t bytes[16], char ret_uuid[UUID_SIZE]);
