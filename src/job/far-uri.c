/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names are checked for their characters: they end up in an argv. */
#include "job/far-uri.h"

#include <string.h>

#include "base/err.h"

#define SCHEME "ssh://"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool far_is_uri(const char *target)
{
	return strncmp(target, SCHEME, strlen(SCHEME)) == 0;
}

void far_uri_clear(struct far_uri *uri)
{
	free(TAKE_PTR(uri->host));
	free(TAKE_PTR(uri->port));
	free(TAKE_PTR(uri->dir));
}

static bool only(const char *text, size_t length, const char *allowed)
{
	return length && text[0] != '-' && strspn(text, allowed) >= length;
}

static bool good_host(const char *host, size_t length, bool in_brackets)
{
	return only(host, length,
		    in_brackets ? LETTERS DIGITS ":.%" : LETTERS DIGITS "._-");
}

static bool good_user(const char *user, size_t length)
{
	return only(user, length, LETTERS DIGITS "._-+$");
}

static bool good_port(const char *port, size_t length)
{
	return length < 6 && only(port, length, DIGITS);
}

/* The host and what is behind it, of "[user@]" @rest up to @end. */
static bool take_host(const char *user, size_t user_length, const char *rest,
		      const char *end, struct far_uri *uri)
{
	bool in_brackets = *rest == '[';
	const char *host = rest + in_brackets;
	size_t length = in_brackets ? strcspn(host, "]/") : strcspn(host, ":/");
	const char *behind = host + length;

	if (!good_host(host, length, in_brackets) ||
	    (in_brackets && *behind++ != ']'))
		return false;
	if (*behind == ':') {
		if (!good_port(behind + 1, end - behind - 1))
			return false;
		uri->port = strndup(behind + 1, end - behind - 1);
	} else if (behind != end) {
		return false;
	}
	if (asprintf(&uri->host, "%.*s%s%.*s", (int)user_length, user,
		     user_length ? "@" : "", (int)length, host) < 0)
		uri->host = NULL;
	uri->dir = strdup(end);
	return true;
}

int far_uri_parse(const char *uri, struct far_uri *ret_uri, struct err *err)
{
	const char *user = uri + strlen(SCHEME);
	const char *end = strchr(user, '/');
	const char *at = end ? memchr(user, '@', end - user) : NULL;
	const char *rest = at ? at + 1 : user;

	*ret_uri = (struct far_uri){0};
	if (!end || (at && !good_user(user, at - user)) ||
	    !take_host(user, at ? at - user : 0, rest, end, ret_uri))
		return fail(err, -EINVAL,
			    "%s: not understood; a repository on another host "
			    "is ssh://[user@]host[:port]/directory",
			    uri);
	if (!ret_uri->host || !ret_uri->dir)
		return fail(err, -ENOMEM, "out of memory");
	return 0;
}
