/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains of every kind, and the edits that attach, detach and restore make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "vm/domain-xml.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define VDA_DEVICE "/dev/mapper/dsync-web-vda"

/* A file of tests/unit/xml. */
static char *golden(const char *name)
{
	_cleanup_free_ char *path =
		io_format("%s/xml/%s", getenv("SOURCE_DIR"), name);
	struct err err = {0};
	char *text;

	assert_non_null(path);
	if (io_read_file(path, 1 << 20, &text, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* The same laid out as our functions write it. */
static char *normal(const char *name)
{
	_cleanup_free_ char *text = golden(name);
	char *result;

	assert_int_equal(vm_xml_normal(text, &result, NULL), 0);
	return result;
}

static struct vm_domain *parse(const char *xml)
{
	struct vm_domain *domain = NULL;
	struct err err = {0};

	if (vm_domain_parse(xml, &domain, &err) < 0)
		fail_msg("%s", err.text);
	return domain;
}

/* web.xml with the disks of @targets ("vda vdb") attached. */
static char *attached(const char *xml, const char *targets)
{
	_cleanup_vm_domain_ struct vm_domain *domain = parse(xml);
	struct vm_disk *volume = vm_domain_disk(domain, "vdc");
	struct err err = {0};
	char *result = NULL;

	if (volume && !volume->path)
		volume->path = strdup("/dev/fast/web-data");
	for (size_t i = 0; i < domain->nr_disks; i++) {
		struct vm_disk *disk = &domain->disks[i];

		disk->selected = strstr(targets, disk->target);
		disk_name(disk->name, domain->name, domain->uuid, disk->target,
			  NULL);
	}
	if (vm_xml_attach(xml, domain, &result, &err) < 0)
		fail_msg("%s", err.text);
	return result;
}

static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return io_format("%.*s%s%s", (int)(at - text), text, to,
			 at + strlen(from));
}

static void a_domain_is_read(void **state)
{
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_vm_domain_ struct vm_domain *domain = parse(xml);

	assert_string_equal(domain->name, "web");
	assert_string_equal(domain->uuid,
			    "2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01");
	assert_string_equal(domain->nvram,
			    "/var/lib/libvirt/qemu/nvram/web_VARS.fd");
	assert_true(domain->has_agent_channel);
	assert_false(domain->has_metadata);
	assert_int_equal(domain->nr_disks, 4);
	assert_int_equal(domain->nr_tracked, 0);
	assert_string_equal(domain->disks[0].path, "/dev/vg/web");
	assert_string_equal(domain->disks[1].path, "/srv/a & \"b\".img");
	assert_null(domain->disks[2].path);
	assert_string_equal(domain->disks[2].pool, "fast");
	assert_null(domain->disks[0].reason);
	assert_null(domain->disks[1].reason);
	assert_null(domain->disks[2].reason);
	assert_string_equal(domain->disks[3].reason, "an empty drive");
}

static void attach_changes_type_and_source_and_records_both(void **state)
{
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_free_ char *now = attached(xml, "vda vdb vdc");
	_cleanup_free_ char *expected = golden("web.attached.xml");

	assert_string_equal(now, expected);
}

static void an_attached_domain_is_read(void **state)
{
	_cleanup_free_ char *xml = golden("web.attached.xml");
	_cleanup_vm_domain_ struct vm_domain *domain = parse(xml);
	const struct vm_disk *file = &domain->disks[1];
	const struct vm_disk *volume = &domain->disks[2];

	assert_int_equal(domain->nr_tracked, 3);
	assert_true(domain->has_metadata);
	assert_string_equal(domain->disks[0].path, VDA_DEVICE);
	assert_string_equal(file->name, "dsync-web-vdb");
	assert_string_equal(file->original_type, "file");
	assert_string_equal(file->original_path, "/srv/a & \"b\".img");
	assert_string_equal(volume->original_type, "volume");
	assert_string_equal(volume->original_path, "/dev/fast/web-data");
}

static void detach_gives_back_what_attach_took(void **state)
{
	static const char *const choices[] = {"vda", "vdb", "vdc",
					      "vda vdb vdc"};
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_free_ char *before = normal("web.xml");

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		_cleanup_free_ char *now = attached(xml, choices[i]);
		_cleanup_free_ char *after = NULL;

		assert_int_equal(vm_xml_detach(now, &after, NULL), 0);
		assert_string_equal(after, before);
	}
}

static void metadata_that_attach_made_goes_with_detach(void **state)
{
	_cleanup_free_ char *with = golden("web.xml");
	_cleanup_free_ char *xml = replaced(
		with,
		"<metadata>\n    <app:node xmlns:app=\"urn:other-tool\">"
		"kept &amp; untouched</app:node>\n  </metadata>\n  ",
		"");
	_cleanup_free_ char *before = NULL, *after = NULL;
	_cleanup_free_ char *now = attached(xml, "vda");

	assert_int_equal(vm_xml_normal(xml, &before, NULL), 0);
	assert_int_equal(vm_xml_detach(now, &after, NULL), 0);
	assert_string_equal(after, before);
}

static void a_second_attach_adds_to_the_first(void **state)
{
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_free_ char *before = normal("web.xml");
	_cleanup_free_ char *first = attached(xml, "vda");
	_cleanup_free_ char *second = attached(first, "vdb");
	_cleanup_vm_domain_ struct vm_domain *domain = parse(second);
	_cleanup_free_ char *after = NULL;

	assert_int_equal(domain->nr_tracked, 2);
	assert_int_equal(vm_xml_detach(second, &after, NULL), 0);
	assert_string_equal(after, before);
}

static void a_disk_that_was_pointed_elsewhere_stays_there(void **state)
{
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_free_ char *now = attached(xml, "vda vdb");
	_cleanup_free_ char *moved =
		replaced(now, VDA_DEVICE, "/dev/vg/elsewhere");
	_cleanup_vm_domain_ struct vm_domain *domain = parse(moved);
	_cleanup_free_ char *after = NULL;
	_cleanup_vm_domain_ struct vm_domain *detached = NULL;

	assert_int_equal(domain->nr_tracked, 1);
	assert_int_equal(vm_xml_detach(moved, &after, NULL), 0);
	detached = parse(after);
	assert_string_equal(detached->disks[0].path, "/dev/vg/elsewhere");
	assert_string_equal(detached->disks[1].path, "/srv/a & \"b\".img");
	assert_null(strstr(after, "dsync"));
}

/* Cuts our element out, as a tool does that drops what it does not know. */
static char *without_our_metadata(const char *xml)
{
	const char *from = strstr(xml, "<dsync:domain");
	const char *to = strstr(xml, "</dsync:domain>");

	assert_non_null(from);
	return io_format("%.*s%s", (int)(from - xml), xml,
			 to + strlen("</dsync:domain>"));
}

static void dropped_metadata_is_recovered_from_the_copy(void **state)
{
	_cleanup_free_ char *now = golden("web.attached.xml");
	_cleanup_free_ char *lost = without_our_metadata(now);
	_cleanup_free_ char *record = NULL, *whole = NULL;
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	struct err err = {0};

	assert_int_equal(vm_xml_detach(lost, &whole, &err), -ENODATA);
	assert_non_null(strstr(err.text, "dsync-web-vda"));
	assert_int_equal(vm_xml_record(now, &record, NULL), 0);
	assert_int_equal(vm_xml_recover(lost, record, &whole, NULL), 0);
	domain = parse(whole);
	assert_int_equal(domain->nr_tracked, 3);
}

static void detach_of_what_is_not_attached_fails(void **state)
{
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_free_ char *after = NULL;
	struct err err = {0};

	assert_int_equal(vm_xml_detach(xml, &after, &err), -ENOENT);
	assert_string_equal(err.text, "web: not attached");
}

static void what_cannot_be_tracked_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *target, *reason;
	} expected[] = {
		{"vda", "not raw"},      {"vdb", "network"},
		{"vdc", "device='lun'"}, {"vdd", "shareable"},
		{"vde", "transient"},    {"vdf", "slice"},
		{"vdg", "vhost-user"},   {"vdh", "NVMe"},
		{"vdi", "read-only"},    {"sda", "an empty drive"},
		{"sdb", "removable"},    {"vdj", "not recorded"},
		{"vdk", "directory"},
	};
	_cleanup_free_ char *xml = golden("refused.xml");
	_cleanup_vm_domain_ struct vm_domain *domain = parse(xml);

	assert_int_equal(domain->nr_disks,
			 sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < domain->nr_disks; i++) {
		struct vm_disk *disk =
			vm_domain_disk(domain, expected[i].target);
		_cleanup_free_ char *after = NULL;

		assert_non_null(disk);
		assert_non_null(disk->reason);
		assert_non_null(strstr(disk->reason, expected[i].reason));
		disk->selected = true;
		assert_int_equal(vm_xml_attach(xml, domain, &after, NULL),
				 -EOPNOTSUPP);
		disk->selected = false;
	}
}

static void malformed_xml_is_refused_in_one_line(void **state)
{
	static const char *const bad[] = {
		"",
		"<domain",
		"<network/>",
		"<domain><uuid>2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e02</uuid>"
		"</domain>",
		"<domain><name>x</name></domain>",
		"<domain><name>x</name><uuid>../../etc</uuid></domain>",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct vm_domain *domain = NULL;
		struct err err = {0};

		assert_int_equal(vm_domain_parse(bad[i], &domain, &err),
				 -EINVAL);
		assert_null(domain);
		assert_true(err.text[0]);
	}
}

/* Of an edit by hand; the last word is attach's. */
static void records_of_one_disk_are_all_replaced(void **state)
{
	static const char record[] =
		"<dsync:disk target='vda' name='old' type='block' "
		"path='/dev/old'><source dev='/dev/old'/></dsync:disk>";
	_cleanup_free_ char *xml = io_format(
		"<domain><name>web</name>"
		"<uuid>2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01</uuid><metadata>"
		"<dsync:domain xmlns:dsync='urn:dsync-vm:1'>%s%s"
		"</dsync:domain></metadata><devices>"
		"<disk type='block'><source dev='/dev/new'/>"
		"<target dev='vda'/></disk></devices></domain>",
		record, record);
	_cleanup_free_ char *with = attached(xml, "vda"), *without = NULL;
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;

	assert_int_equal(vm_xml_detach(with, &without, NULL), 0);
	domain = parse(without);
	assert_string_equal(domain->disks[0].path, "/dev/new");
}

/* Whose of the two would a record be? */
static void two_disks_of_one_name_are_refused(void **state)
{
	static const char xml[] =
		"<domain><name>a</name>"
		"<uuid>2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e02</uuid><devices>"
		"<disk type='block'><source dev='/dev/x'/>"
		"<target dev='vda'/></disk>"
		"<disk type='block'><source dev='/dev/y'/>"
		"<target dev='vda'/></disk></devices></domain>";
	struct vm_domain *domain;
	struct err err = {0};

	assert_int_equal(vm_domain_parse(xml, &domain, &err), -EINVAL);
	assert_non_null(strstr(err.text, "vda"));
}

/* libvirt writes none, and with entities a line becomes gigabytes. */
static void a_document_type_is_refused(void **state)
{
	static const char xml[] =
		"<!DOCTYPE domain [<!ENTITY a 'aaaa'>]>"
		"<domain><name>&a;&a;</name>"
		"<uuid>2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e02</uuid></domain>";
	struct vm_domain *domain;
	struct err err = {0};

	assert_int_equal(vm_domain_parse(xml, &domain, &err), -EINVAL);
	assert_non_null(strstr(err.text, "DOCTYPE"));
}

static void a_restored_domain_can_run_beside_the_first(void **state)
{
	static const struct vm_restored_disk disks[] = {
		{"vda", "/restore/vda.qcow2", "qcow2", false},
		{"vdb", "/dev/vg/restored & new", "raw", true},
	};
	static const struct vm_restored restored = {
		.name = "web <2>",
		.nvram = "/restore/VARS.fd",
		.disks = disks,
		.nr_disks = 2,
	};
	_cleanup_free_ char *xml = golden("web.attached.xml");
	_cleanup_free_ char *expected = golden("web.restored.xml");
	_cleanup_free_ char *now = NULL;

	assert_int_equal(vm_xml_restored(xml, &restored, &now, NULL), 0);
	assert_string_equal(now, expected);
}

static void a_domain_that_moves_keeps_all_but_where_its_disks_are(void **state)
{
	static const struct vm_moved_disk disks[] = {
		{"vda", "/srv/web & \"x\".raw", false},
		{"vdb", "/dev/other/web", true},
	};
	_cleanup_free_ char *xml = golden("web.xml");
	_cleanup_free_ char *here = attached(xml, "vda vdb");
	_cleanup_free_ char *there = NULL, *detached = NULL;
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	_cleanup_vm_domain_ struct vm_domain *before = parse(here);
	struct err err = {0};

	assert_int_equal(vm_xml_moved(here, disks, 2, &there, &err), 0);
	domain = parse(there);
	assert_string_equal(domain->uuid, before->uuid);
	for (size_t i = 0; i < 2; i++) {
		assert_true(domain->disks[i].tracked);
		assert_string_equal(domain->disks[i].name,
				    before->disks[i].name);
		assert_string_equal(domain->disks[i].original_path,
				    disks[i].path);
	}
	assert_string_equal(domain->disks[0].original_type, "file");
	assert_string_equal(domain->disks[1].original_type, "block");
	/* What detach gives back is what is there. */
	assert_int_equal(vm_xml_detach(there, &detached, &err), 0);
	vm_domain_free(domain);
	domain = parse(detached);
	assert_string_equal(domain->disks[0].path, disks[0].path);
	assert_string_equal(domain->disks[1].path, disks[1].path);
	assert_int_equal(vm_xml_moved(xml, disks, 1, &there, &err), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_is_read),
		cmocka_unit_test(
			attach_changes_type_and_source_and_records_both),
		cmocka_unit_test(an_attached_domain_is_read),
		cmocka_unit_test(detach_gives_back_what_attach_took),
		cmocka_unit_test(metadata_that_attach_made_goes_with_detach),
		cmocka_unit_test(a_second_attach_adds_to_the_first),
		cmocka_unit_test(a_disk_that_was_pointed_elsewhere_stays_there),
		cmocka_unit_test(dropped_metadata_is_recovered_from_the_copy),
		cmocka_unit_test(detach_of_what_is_not_attached_fails),
		cmocka_unit_test(
			what_cannot_be_tracked_is_refused_with_a_reason),
		cmocka_unit_test(malformed_xml_is_refused_in_one_line),
		cmocka_unit_test(records_of_one_disk_are_all_replaced),
		cmocka_unit_test(two_disks_of_one_name_are_refused),
		cmocka_unit_test(a_document_type_is_refused),
		cmocka_unit_test(a_restored_domain_can_run_beside_the_first),
		cmocka_unit_test(
			a_domain_that_moves_keeps_all_but_where_its_disks_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
