/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests come from repositories that may be anybody's. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "base/err.h"
#include "base/io.h"
#include "repo/base64.h"
#include "repo/manifest.h"

#define POINT "20260131T235959Z"

static char *asset_path(const char *name)
{
	return io_format("%s/assets/manifest/%s.json", getenv("SOURCE_DIR"),
			 name);
}

static int parse_asset(const char *name, struct manifest **ret_manifest,
		       struct err *err)
{
	_cleanup_free_ char *path = asset_path(name);
	_cleanup_free_ char *text = NULL;
	size_t size;

	assert_int_equal(io_read_file(path, 1 << 20, &text, &size, NULL), 0);
	return manifest_parse(text, size, POINT, ret_manifest, err);
}

static void test_a_good_manifest_says_all_it_says(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	const struct manifest_disk *disk;
	char created[UTC_SIZE];

	assert_int_equal(parse_asset("good", &manifest, NULL), 0);
	assert_string_equal(manifest->parent, "20260130T120000Z");
	assert_string_equal(manifest->domain_name, "web/1 \xc3\xbc");
	utc_format(manifest->created, created);
	assert_string_equal(created, "2026-01-31T23:59:59Z");
	assert_int_equal(manifest->consistency, CONSISTENCY_FROZEN);
	assert_int_equal(manifest->freeze_ms, 120);
	assert_int_equal(manifest->nvram_bytes, 6);
	assert_memory_equal(manifest->nvram, "\0\1\2\3\4\377", 6);
	assert_int_equal(manifest->nr_disks, 2);
	disk = manifest_find_disk(manifest, "vda");
	assert_string_equal(disk->backing, "20260130T120000Z");
	assert_int_equal(disk->size_bytes, 1 << 30);
	assert_false(disk->full);
	disk = manifest_find_disk(manifest, "vdb");
	assert_string_equal(disk->backing, "");
	assert_string_equal(disk->epoch, "");
	assert_null(manifest_find_disk(manifest, "sda"));
	assert_string_equal(manifest->left_out[0].reason,
			    "not a raw disk: qcow2");
}

static void test_unknown_fields_are_ignored_and_kept(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = NULL, *again = NULL;
	_cleanup_free_ char *path = asset_path("good-unknown-fields");
	_cleanup_free_ char *old = NULL, *text = NULL;
	size_t size;

	assert_int_equal(parse_asset("good-unknown-fields", &manifest, NULL),
			 0);
	assert_int_equal(manifest->nr_disks, 2);
	strcpy(manifest->parent, "");
	strcpy(manifest->disks[0].backing, "");
	assert_int_equal(io_read_file(path, 1 << 20, &old, &size, NULL), 0);
	text = manifest_text_over(old, size, manifest);
	assert_non_null(strstr(text, "\"compression\": \"zstd\""));
	assert_non_null(strstr(text, "\"sums\": {"));
	assert_int_equal(
		manifest_parse(text, strlen(text), POINT, &again, NULL), 0);
	assert_int_equal(again->nr_disks, 2);
	assert_int_equal(again->nr_left_out, 1);
	assert_string_equal(again->parent, "");
	assert_string_equal(again->disks[0].backing, "");
}

static void test_what_may_be_missing_may_be_missing(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;

	assert_int_equal(parse_asset("good-minimal", &manifest, NULL), 0);
	assert_string_equal(manifest->parent, "");
	assert_null(manifest->nvram);
}

static const struct {
	const char *asset, *complaint;
} bad[] = {
	{"bad-truncated", "truncated"},
	{"bad-empty", "truncated"},
	{"bad-trailing-garbage", "not"},
	{"bad-not-an-object", "object"},
	{"bad-not-utf8", "utf"},
	{"bad-nested-too-deep", "nesting"},
	{"bad-format-missing", "\"format\""},
	{"bad-format-text", "\"format\""},
	{"bad-repository-not-uuid", "\"repository\""},
	{"bad-point-of-another", "\"point\""},
	{"bad-parent-climbs-out", "\"parent\""},
	{"bad-parent-is-itself", "\"parent\""},
	{"bad-created-no-such-day", "\"created\""},
	{"bad-consistency-unknown", "\"consistency\""},
	{"bad-pass-number", "\"pass\""},
	{"bad-freeze-negative", "\"freeze_ms\" is negative"},
	{"bad-suspend-overflow", "\"suspend_ms\" is too large"},
	{"bad-disks-missing", "\"disks\""},
	{"bad-disks-not-objects", "disks[0]"},
	{"bad-target-climbs-out", "disks[0]: \"target\""},
	{"bad-target-empty", "disks[0]: \"target\""},
	{"bad-target-twice", "disks[2]"},
	{"bad-file-elsewhere", "disks[0]: \"file\""},
	{"bad-file-absolute", "disks[0]: \"file\""},
	{"bad-backing-climbs-out", "disks[0]: \"backing\""},
	{"bad-backing-is-itself", "disks[0]: \"backing\""},
	{"bad-backing-is-a-protocol", "disks[0]: \"backing\""},
	{"bad-size-zero", "\"size_bytes\""},
	{"bad-size-odd", "\"size_bytes\""},
	{"bad-size-huge", "\"size_bytes\" is too large"},
	{"bad-size-float", "\"size_bytes\""},
	{"bad-size-text", "\"size_bytes\""},
	{"bad-block-not-power", "\"block_bytes\""},
	{"bad-block-too-small", "\"block_bytes\""},
	{"bad-epoch-not-uuid", "\"epoch\""},
	{"bad-full-number", "\"full\""},
	{"bad-bytes-negative", "\"bytes_sent\" is negative"},
	{"bad-left-out-escape", "left_out[0]: \"reason\""},
	{"bad-domain-name-zero-byte", "\"name\""},
	{"bad-domain-name-newline", "\"name\""},
	{"bad-domain-name-empty", "\"name\""},
	{"bad-domain-uuid-missing", "\"uuid\""},
	{"bad-domain-xml-missing", "\"xml\""},
	{"bad-nvram-not-base64", "\"nvram\""},
};

static void test_bad_manifests_are_refused_for_their_reason(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		_cleanup_manifest_ struct manifest *manifest = NULL;
		struct err err = {0};
		int r = parse_asset(bad[i].asset, &manifest, &err);

		if (r != -EBADMSG || !strstr(err.text, bad[i].complaint))
			test_failed("%s: %d, %s", bad[i].asset, r, err.text);
		assert_null(manifest);
	}
}

static void test_a_future_format_is_refused_as_such(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	struct err err = {0};

	assert_int_equal(parse_asset("bad-format-future", &manifest, &err),
			 -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "newer"));
}

static void test_what_is_written_is_read_back(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL, *text_again = NULL;

	assert_int_equal(parse_asset("good", &manifest, NULL), 0);
	assert_false(manifest->is_pass);
	manifest->is_pass = true;
	text = manifest_text(manifest);
	assert_int_equal(
		manifest_parse(text, strlen(text), POINT, &again, NULL), 0);
	text_again = manifest_text(again);
	assert_string_equal(text, text_again);
	assert_true(again->is_pass);
	assert_string_equal(again->domain_xml, manifest->domain_xml);
}

static void test_every_truncation_is_refused(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = NULL;
	_cleanup_free_ char *text = NULL;

	assert_int_equal(parse_asset("good", &manifest, NULL), 0);
	text = manifest_text(manifest);
	/* The last two bytes are the closing brace and a newline. */
	for (size_t n = 0; n < strlen(text) - 1; n++) {
		_cleanup_manifest_ struct manifest *cut = NULL;

		assert_int_equal(manifest_parse(text, n, POINT, &cut, NULL),
				 -EBADMSG);
	}
}

static void test_a_reason_is_one_line_whatever_it_was(void **state)
{
	_cleanup_manifest_ struct manifest *manifest = manifest_new();

	assert_int_equal(manifest_add_left_out(manifest, "vda", "a\tb\nc\033"),
			 0);
	assert_string_equal(manifest->left_out[0].reason, "a b c ");
}

static void test_base64_is_canonical(void **state)
{
	static const char *const wrong[] = {"A",        "AA",      "AAA",
					    "AA=A",     "A===",    "====",
					    "AB==",     "AAB=",    "AA A",
					    "AAAA====", "AA==AAAA"};
	uint8_t bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = i;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		_cleanup_free_ char *text = base64_encode(bytes, n);
		_cleanup_free_ uint8_t *again = NULL;
		size_t size;

		assert_int_equal(base64_decode(text, &again, &size), 0);
		assert_int_equal(size, n);
		assert_memory_equal(again, bytes, n);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		uint8_t *again = NULL;
		size_t size;

		if (base64_decode(wrong[i], &again, &size) != -EBADMSG)
			test_failed("%s was taken", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_manifest_says_all_it_says),
		cmocka_unit_test(test_unknown_fields_are_ignored_and_kept),
		cmocka_unit_test(test_what_may_be_missing_may_be_missing),
		cmocka_unit_test(
			test_bad_manifests_are_refused_for_their_reason),
		cmocka_unit_test(test_a_future_format_is_refused_as_such),
		cmocka_unit_test(test_what_is_written_is_read_back),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_a_reason_is_one_line_whatever_it_was),
		cmocka_unit_test(test_base64_is_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
