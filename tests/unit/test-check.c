/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a status is said to a monitoring system, and how loudly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/status-prometheus.h"
#include "job/check.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define NOW 1000000000
#define HOUR 3600

/* A disk that nothing is wrong with, and its target. */
struct host {
	struct status_target target;
	struct status_disk disk;
	struct status_report status;
};

static void make_host(struct host *host)
{
	*host = (struct host){
		.target = {.name = (char *)"nas",
			   .location = (char *)"/nas",
			   .watched = true,
			   .newest = "20010909T004640Z",
			   .newest_time = NOW - HOUR,
			   .warning_s = 26 * HOUR,
			   .critical_s = 50 * HOUR,
			   .pending_known = true,
			   .pending_bytes = 4096},
		.disk = {.domain = (char *)"web",
			 .disk = (char *)"vda",
			 .active = true,
			 .state = STATUS_UP,
			 .tracker = {.state = TRACKER_CLEAN,
				     .size_sectors = 2048,
				     .block_sectors = 8,
				     .dirty = 1},
			 .metadata = (char *)"/meta",
			 .hold_is_file = true,
			 .nr_targets = 1},
		.status = {.nr_disks = 1,
			   .nr_domains = 1,
			   .now = NOW,
			   .hold_room_bytes = UINT64_C(1) << 40},
	};
	host->disk.targets = &host->target;
	host->status.disks = &host->disk;
}

/* The host is judged so, and that is what is said first, "": nothing. */
static void assert_judged(const struct host *host, enum check_level level,
			  const char *text)
{
	const struct check_request request = {0};
	struct check_report report = {0};

	check_judge(&request, &host->status, &report);
	assert_int_equal(check_level(&report), level);
	assert_int_equal(report.nr_findings, *text ? 1 : 0);
	if (*text)
		assert_non_null(strstr(report.findings[0].text, text));
	check_report_free(&report);
}

static void a_half_restored_disk_is_critical_and_says_what_to_do(void **state)
{
	struct host host;

	make_host(&host);
	host.disk.state = STATUS_STOPPED;
	host.disk.restoring = (char *)"finish with 'dsync-vm restore web'";
	assert_judged(&host, CHECK_CRITICAL,
		      "web: finish with 'dsync-vm restore web'");
	assert_string_equal(status_word(&host.disk), "half-restored");
	host.disk.busy = true;
	assert_judged(&host, CHECK_OK, "");
	assert_string_equal(status_word(&host.disk), "restoring");
}

static void what_is_fine_is_not_worth_a_word(void **state)
{
	struct host host;

	make_host(&host);
	assert_judged(&host, CHECK_OK, "");
	host.disk.tracker.state = TRACKER_RECOVERED;
	assert_judged(&host, CHECK_OK, "");
	host.disk.state = STATUS_STOPPED;
	host.disk.active = false;
	assert_judged(&host, CHECK_OK, "");
}

static void a_point_is_as_good_as_its_age(void **state)
{
	struct host host;

	make_host(&host);
	host.target.newest_time = NOW - 26 * HOUR;
	assert_judged(&host, CHECK_OK, "");
	host.target.newest_time--;
	assert_judged(&host, CHECK_WARNING, "web nas: newest point is 26 h");
	host.target.newest_time = NOW - 50 * HOUR;
	assert_judged(&host, CHECK_WARNING, "web nas: newest point is 2 days");
	host.target.newest_time--;
	assert_judged(&host, CHECK_CRITICAL, "newest point is 2 days old");
	host.target.newest_time = NOW + HOUR; /* a clock was set */
	assert_judged(&host, CHECK_OK, "");
	host.target.newest[0] = '\0';
	assert_judged(&host, CHECK_CRITICAL, "never backed up");
	host.target.watched = false;
	assert_judged(&host, CHECK_CRITICAL, "no default target");
}

static void the_command_line_sets_other_ages(void **state)
{
	const struct check_request request = {.warning_s = HOUR - 1,
					      .critical_s = 2 * HOUR};
	struct check_report report = {0};
	struct host host;

	make_host(&host);
	check_judge(&request, &host.status, &report);
	assert_int_equal(check_level(&report), CHECK_WARNING);
	assert_int_equal(report.ages[0].critical_s, 2 * HOUR);
	check_report_free(&report);
}

static void of_several_disks_the_oldest_counts(void **state)
{
	const struct check_request request = {0};
	struct check_report report = {0};
	struct status_target older;
	struct status_disk disks[2];
	struct host host;

	make_host(&host);
	older = host.target;
	older.newest_time = NOW - 60 * HOUR;
	disks[0] = disks[1] = host.disk;
	disks[0].targets = &older;
	disks[1].disk = (char *)"vdb";
	host.status.disks = disks;
	host.status.nr_disks = 2;
	check_judge(&request, &host.status, &report);
	assert_int_equal(check_level(&report), CHECK_CRITICAL);
	assert_int_equal(report.nr_findings, 1);
	assert_int_equal(report.nr_ages, 1);
	assert_int_equal(report.ages[0].age_s, 60 * HOUR);
	assert_int_equal(report.ages[0].pending_bytes, 8192);
	check_report_free(&report);
}

static void a_disk_in_trouble_is_named(void **state)
{
	struct host host;

	make_host(&host);
	host.disk.tracker.state = TRACKER_DEGRADED;
	assert_judged(&host, CHECK_WARNING, "web vda: degraded");
	host.disk.tracker.state = TRACKER_LOST;
	assert_judged(&host, CHECK_WARNING, "web vda: tracking was lost");
	host.disk.tracker.state = TRACKER_UNTRACKED;
	assert_judged(&host, CHECK_CRITICAL, "module dm-dsync was missing");
	make_host(&host);
	host.disk.metadata = NULL;
	assert_judged(&host, CHECK_WARNING, "in memory only");
	host.disk.state = STATUS_MISSING;
	assert_judged(&host, CHECK_CRITICAL, "without its device");
	host.disk.state = STATUS_NEXT_START;
	assert_judged(&host, CHECK_WARNING, "next start");
}

static void what_a_backup_left_is_told_from_what_it_does(void **state)
{
	struct host host;

	make_host(&host);
	host.disk.state = STATUS_SUSPENDED;
	host.disk.busy = true;
	assert_judged(&host, CHECK_OK, "");
	host.disk.busy = false;
	assert_judged(&host, CHECK_CRITICAL, "suspended and no backup");
	host.disk.state = STATUS_UP;
	strcpy(host.disk.tracker.open, "an epoch");
	assert_judged(&host, CHECK_WARNING, "epoch open");
	host.disk.busy = true;
	assert_judged(&host, CHECK_OK, "");
}

static void a_hold_must_have_room(void **state)
{
	struct host host;

	make_host(&host);
	host.status.hold_room_bytes = 1 << 20;
	assert_judged(&host, CHECK_OK, "");
	host.status.hold_room_bytes--;
	assert_judged(&host, CHECK_WARNING, "overwrite during a backup");
	host.status.hold_room_bytes = 1 << 15;
	assert_judged(&host, CHECK_CRITICAL, "overwrite during a backup");
	host.disk.hold_is_file = false;
	assert_judged(&host, CHECK_OK, "");
}

static void critical_is_worse_than_unknown(void **state)
{
	struct check_finding findings[] = {
		{.level = CHECK_WARNING},
		{.level = CHECK_UNKNOWN},
		{.level = CHECK_CRITICAL},
	};
	struct check_report report = {.findings = findings};

	assert_int_equal(check_level(&report), CHECK_OK);
	report.nr_findings = 2;
	assert_int_equal(check_level(&report), CHECK_UNKNOWN);
	report.nr_findings = 3;
	assert_int_equal(check_level(&report), CHECK_CRITICAL);
}

static void assert_has(const char *text, const char *line)
{
	assert_non_null(text);
	if (!strstr(text, line))
		fail_msg("no '%s' in:\n%s", line, text);
}

static void metrics_have_values_and_escaped_labels(void **state)
{
	struct host host;
	char *text;

	make_host(&host);
	host.disk.domain = (char *)"a\"b\\c\nd";
	host.target.name = NULL;
	text = status_metrics(&host.status);
	assert_has(text, "\n# TYPE dsync_vm_dirty_bytes gauge\n"
			 "dsync_vm_dirty_bytes{domain=\"a\\\"b\\\\c\\nd\","
			 "disk=\"vda\"} 4096\n");
	assert_has(text,
		   "dsync_vm_last_point_timestamp_seconds{domain=\"a\\\"b"
		   "\\\\c\\nd\",disk=\"vda\",target=\"/nas\"} 999996400\n");
	assert_has(text, "disk=\"vda\",state=\"clean\"} 1\n");
	assert_has(text, "target=\"/nas\"} 4096\n");
	free(text);
	host.disk.state = STATUS_STOPPED;
	host.target.pending_known = false;
	text = status_metrics(&host.status);
	assert_null(strstr(text, "dsync_vm_dirty_bytes{"));
	assert_null(strstr(text, "dsync_vm_pending_bytes{"));
	assert_has(text, "target=\"/nas\"} 999996400\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_half_restored_disk_is_critical_and_says_what_to_do),
		cmocka_unit_test(what_is_fine_is_not_worth_a_word),
		cmocka_unit_test(a_point_is_as_good_as_its_age),
		cmocka_unit_test(the_command_line_sets_other_ages),
		cmocka_unit_test(of_several_disks_the_oldest_counts),
		cmocka_unit_test(a_disk_in_trouble_is_named),
		cmocka_unit_test(what_a_backup_left_is_told_from_what_it_does),
		cmocka_unit_test(a_hold_must_have_room),
		cmocka_unit_test(critical_is_worse_than_unknown),
		cmocka_unit_test(metrics_have_values_and_escaped_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
