/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Little-endian numbers, by the kernel's names. */
#ifndef DSYNC_USER_BYTEORDER_H
#define DSYNC_USER_BYTEORDER_H

#include_next <asm/byteorder.h>

#include <endian.h>

#define cpu_to_le32(x) htole32(x)
#define cpu_to_le64(x) htole64(x)
#define le32_to_cpu(x) le32toh(x)
#define le64_to_cpu(x) le64toh(x)

#endif
