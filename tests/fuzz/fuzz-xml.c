/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's XML: what the hook makes of it, and that attach, detach and
 * restore edit what they say and no more.
 */
#include <string.h>

#include "fuzz.h"
/* For what it does before it touches a device. */
#define main hook_main
int hook_main(int argc, char **argv);
#include "hook.c"

#define OTHER_XML                \
	"<domain><name>a</name>" \
	"<uuid>2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01</uuid></domain>"

static void is_one_line(const struct err *err)
{
	promise(err->text[0] && !strchr(err->text, '\n'));
}

/* Printing twice is printing once. */
static void check_normal(const char *xml)
{
	_cleanup_free_ char *once = NULL, *twice = NULL;
	struct err err = {0};

	promise(vm_xml_normal(xml, &once, &err) == 0);
	promise(vm_xml_normal(once, &twice, &err) == 0);
	promise(strcmp(once, twice) == 0);
}

static void run_hook(const char *xml, const struct vm_domain *domain)
{
	_cleanup_vm_domain_ struct vm_domain *read = NULL;
	_cleanup_free_ struct stack_disk *disks = NULL;
	_cleanup_free_ char *copy = strdup(xml);
	struct err err = {0};
	size_t nr = 0;
	int r = on_migrate(&copy, &err);
	bool ours = false;

	for (size_t i = 0; i < domain->nr_disks; i++)
		ours |= domain->disks[i].name[0];
	promise(r == (ours ? -EOPNOTSUPP : 0));
	if (r < 0)
		is_one_line(&err);
	promise(read_domain(&copy, &read, NULL) == 0);
	if (list_stacks(read, &disks, &nr, NULL) < 0)
		return;
	promise(nr <= read->nr_disks);
	for (size_t i = 0; i < nr; i++)
		promise(disks[i].path &&
			disk_name_of_path(disks[i].path) != disks[i].name);
}

/* Everything that can be attached is, and detach gives it back. */
static void attach_and_detach(const char *xml, struct vm_domain *domain)
{
	_cleanup_vm_domain_ struct vm_domain *attached = NULL, *back = NULL;
	_cleanup_free_ char *with = NULL, *without = NULL;
	struct err err = {0};
	size_t nr = 0;

	for (size_t i = 0; i < domain->nr_disks; i++) {
		struct vm_disk *disk = &domain->disks[i];

		disk->selected =
			!disk->reason && !disk->tracked && disk->path &&
			disk_name(disk->name, domain->name, domain->uuid,
				  disk->target, NULL) == 0;
		nr += disk->selected;
	}
	if (nr == 0)
		return;
	promise(vm_xml_attach(xml, domain, &with, &err) == 0);
	promise(vm_domain_parse(with, &attached, &err) == 0);
	promise(attached->nr_disks == domain->nr_disks);
	promise(attached->nr_tracked == nr + domain->nr_tracked);
	if (vm_xml_detach(with, &without, &err) < 0)
		return; /* of one of the others it is not known what it was */
	promise(vm_domain_parse(without, &back, &err) == 0);
	promise(back->nr_tracked == 0 && !back->has_metadata);
	for (size_t i = 0; i < domain->nr_disks; i++) {
		const struct vm_disk *disk = &domain->disks[i];

		if (disk->selected)
			promise(strcmp(disk->path, back->disks[i].path) == 0 &&
				strcmp(disk->type, back->disks[i].type) == 0);
	}
}

static void restore(const char *xml, const struct vm_domain *domain)
{
	const struct vm_restored_disk disk = {
		.target = domain->nr_disks ? domain->disks[0].target : "vda",
		.path = "/restored/disk.raw",
		.format = "raw"};
	const struct vm_restored restored = {
		.name = "again", .disks = &disk, .nr_disks = 1};
	_cleanup_free_ char *text = NULL;
	struct err err = {0};

	promise(vm_xml_restored(xml, &restored, &text, &err) == 0);
	check_normal(text);
}

static void record(const char *xml, const struct vm_domain *domain)
{
	_cleanup_vm_domain_ struct vm_domain *parsed = NULL;
	_cleanup_free_ char *saved = NULL, *whole = NULL;
	struct err err = {0};

	if (!domain->has_metadata)
		return;
	promise(vm_xml_record(xml, &saved, &err) == 0);
	promise(vm_xml_recover(OTHER_XML, saved, &whole, &err) == 0);
	promise(vm_domain_parse(whole, &parsed, &err) == 0);
	promise(parsed->has_metadata);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	struct input input = {data, size};
	_cleanup_free_ char *xml = input_text(&input), *whole = NULL;
	struct err err = {0};

	(void)vm_xml_recover(OTHER_XML, xml, &whole, NULL);
	if (vm_domain_parse(xml, &domain, &err) < 0) {
		is_one_line(&err);
		return;
	}
	check_normal(xml);
	run_hook(xml, domain);
	record(xml, domain);
	restore(xml, domain);
	attach_and_detach(xml, domain);
}
