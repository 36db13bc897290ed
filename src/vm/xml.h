/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For vm/ only: libxml2 in the few words that the domain code needs. */
#pragma once

#include <libxml/tree.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct err;
struct vm_disk;

#define XML_OURS_HREF "urn:dsync-vm:1"
#define XML_OURS_PREFIX "dsync"

DEFINE_CLEANUP(xmlDoc *, xmlFreeDoc);
#define _cleanup_doc_ _cleanup_(cleanup_xmlFreeDoc)

/* Parses a document whose root is <@root>. NULL: malformed. */
xmlDoc *xml_parse(const char *text, const char *root, struct err *err);
/* The root element as text, nothing reformatted; the caller frees it. */
int xml_print(xmlDoc *doc, char **ret_text, struct err *err);

/* First child element of that name, in no namespace; @node may be NULL. */
xmlNode *xml_child(const xmlNode *node, const char *name);
/* The next sibling element of the same name. */
xmlNode *xml_next(const xmlNode *node);
/* The same for children in our namespace; @name NULL: any. */
xmlNode *xml_our_child(const xmlNode *node, const char *name);
xmlNode *xml_our_next(const xmlNode *node);

/* Copies for the caller to free; NULL if there is no such attribute. */
char *xml_get(const xmlNode *node, const char *attribute);
char *xml_text(const xmlNode *node);
/* True if the attribute exists and is @value. */
bool xml_is(const xmlNode *node, const char *attribute, const char *value);
/* NULL value: removes the attribute. */
void xml_set(xmlNode *node, const char *attribute, const char *value);
/* Replaces what is between the tags; @text is plain, not markup. */
void xml_set_text(xmlNode *node, const char *text);

/* <devices><disk>: the first one; xml_next() for the others. */
xmlNode *xml_first_disk(xmlDoc *doc);
/* Name of a <disk>'s target; the caller frees it. */
char *xml_disk_target(const xmlNode *disk);
/* Our element in <metadata>, NULL: there is none. */
xmlNode *xml_our_domain(xmlDoc *doc);
/* Our record of the disk @target. */
xmlNode *xml_our_disk(xmlDoc *doc, const char *target);
/* Where a <source> of that type points: a file or device. NULL: nowhere. */
char *xml_source_path(const xmlNode *source, const char *type);

/* Puts @child at the end of @parent, on a line of its own. */
void xml_add_line(xmlNode *parent, xmlNode *child);
/* Removes and frees @node with the white space in front of it. */
void xml_remove_line(xmlNode *node);
