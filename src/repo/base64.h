/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in a manifest: RFC 4648 base64, padded, no line breaks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A new string. NULL: out of memory. */
char *base64_encode(const uint8_t *bytes, size_t size_bytes);

/*
 * Takes only what base64_encode() makes: -EBADMSG for anything else. The
 * caller frees @ret_bytes.
 */
int base64_decode(const char *text, uint8_t **ret_bytes,
		  size_t *ret_size_bytes);
