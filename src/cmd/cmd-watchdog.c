/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hidden command that a backup starts itself as: see job/watchdog.h. */
#include "cmd/cmd.h"
#include "job/watchdog.h"

static enum exit_code run(const struct cmd *cmd, int argc, char **argv)
{
	return err_exit_code(watchdog_main(argc, argv));
}

const struct cmd cmd_watchdog = {
	.name = WATCHDOG_COMMAND,
	.arguments = "",
	.summary = "Undoes what a backup holds when that backup is gone",
	.run = run,
};
