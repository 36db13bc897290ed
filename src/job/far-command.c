/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Its report is made over there; here it is only looked over for what a
 * terminal would take for orders. */
#include "job/far-command.h"

#include <stdio.h>
#include <string.h>

#include "job/far.h"
#include "job/interrupt.h"
#include "repo/json.h"

static void add_words(struct json_object *request, const char *key,
		      const char *const *words, size_t count)
{
	struct json_object *array = json_add_array(request, key);

	for (size_t i = 0; i < count; i++)
		json_append_string(array, words[i]);
}

static struct json_object *describe(const struct far_command *command,
				    const struct far *far)
{
	struct json_object *request = far_request("run");

	json_add_string(request, "directory", far->uri.dir);
	json_add_string(request, "command", command->name);
	add_words(request, "options", command->options, command->nr_options);
	add_words(request, "operands", command->operands, command->nr_operands);
	return request;
}

int far_command_run_on(struct far *far, const struct far_command *command,
		       enum exit_code *ret_code, struct err *err)
{
	_cleanup_far_message_ struct far_message reply = {0};
	uint64_t code = 0;
	int r = far_call(far, describe(command, far), NULL, 0, 0, &reply, err);

	if (r < 0)
		return r;
	r = json_get_uint(reply.json, "exit_code", UINT8_MAX, &code, err);
	*ret_code = code;
	return far_checked(far, r, err);
}

int far_command_run(const struct far_command *command, enum exit_code *ret_code,
		    struct ui *ui, struct err *err)
{
	_cleanup_far_ struct far *far = NULL;
	int r = far_open(command->location, interrupt_catch(), ui, &far, err);

	return r < 0 ? r : far_command_run_on(far, command, ret_code, err);
}
