/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * White space is kept as it is read, so that an edit changes the lines it is
 * about and no other; libvirt lays the text out anew anyway, but a person who
 * reads a diff does not.
 */
#include "vm/xml.h"

#include <libxml/parser.h>
#include <string.h>

#include "base/err.h"

#define OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
#define INDENT "  "

xmlDoc *xml_parse(const char *text, const char *root, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc =
		xmlReadMemory(text, strlen(text), NULL, NULL, OPTIONS);
	const xmlNode *top = doc ? xmlDocGetRootElement(doc) : NULL;

	if (!top) {
		const xmlError *why = xmlGetLastError();

		fail(err, -EINVAL, "domain XML, line %d: %s",
		     why ? why->line : 1, why ? why->message : "malformed");
		return NULL;
	}
	/* libvirt writes none, and entities make gigabytes of a line. */
	if (doc->intSubset) {
		fail(err, -EINVAL, "domain XML: a DOCTYPE is not allowed");
		return NULL;
	}
	if (strcmp((const char *)top->name, root) != 0) {
		fail(err, -EINVAL, "domain XML: <%s> instead of <%s>",
		     top->name, root);
		return NULL;
	}
	return TAKE_PTR(doc);
}

int xml_print(xmlDoc *doc, char **ret_text, struct err *err)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text = NULL;

	if (buffer &&
	    xmlNodeDump(buffer, doc, xmlDocGetRootElement(doc), 0, 0) >= 0)
		text = strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	if (!text)
		return fail(err, -ENOMEM, "domain XML: out of memory");
	*ret_text = text;
	return 0;
}

static bool is_element(const xmlNode *node, const char *name, bool ours)
{
	bool in_ours = node->ns &&
		       strcmp((const char *)node->ns->href, XML_OURS_HREF) == 0;

	return node->type == XML_ELEMENT_NODE && in_ours == ours &&
	       (ours || !node->ns) &&
	       (!name || strcmp((const char *)node->name, name) == 0);
}

static xmlNode *find(xmlNode *node, const char *name, bool ours)
{
	while (node && !is_element(node, name, ours))
		node = node->next;
	return node;
}

xmlNode *xml_child(const xmlNode *node, const char *name)
{
	return node ? find(node->children, name, false) : NULL;
}

xmlNode *xml_next(const xmlNode *node)
{
	return find(node->next, (const char *)node->name, false);
}

xmlNode *xml_our_child(const xmlNode *node, const char *name)
{
	return node ? find(node->children, name, true) : NULL;
}

xmlNode *xml_our_next(const xmlNode *node)
{
	return find(node->next, (const char *)node->name, true);
}

/* libxml2 may use an allocator of its own; ours is free(3)'s. */
static char *own_copy(xmlChar *text)
{
	char *copy = text ? strdup((const char *)text) : NULL;

	xmlFree(text);
	return copy;
}

char *xml_get(const xmlNode *node, const char *attribute)
{
	if (!node)
		return NULL;
	return own_copy(
		xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)attribute));
}

char *xml_text(const xmlNode *node)
{
	return node ? own_copy(xmlNodeGetContent((xmlNode *)node)) : NULL;
}

bool xml_is(const xmlNode *node, const char *attribute, const char *value)
{
	_cleanup_free_ char *found = xml_get(node, attribute);

	return found && strcmp(found, value) == 0;
}

void xml_set(xmlNode *node, const char *attribute, const char *value)
{
	if (value)
		xmlSetProp(node, (const xmlChar *)attribute,
			   (const xmlChar *)value);
	else
		xmlUnsetProp(node, (const xmlChar *)attribute);
}

void xml_set_text(xmlNode *node, const char *text)
{
	xmlNodeSetContent(node, NULL);
	xmlNodeAddContent(node, (const xmlChar *)text);
}

xmlNode *xml_first_disk(xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc);

	return xml_child(xml_child(root, "devices"), "disk");
}

char *xml_disk_target(const xmlNode *disk)
{
	return xml_get(xml_child(disk, "target"), "dev");
}

xmlNode *xml_our_domain(xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc);

	return xml_our_child(xml_child(root, "metadata"), "domain");
}

xmlNode *xml_our_disk(xmlDoc *doc, const char *target)
{
	xmlNode *disk = xml_our_child(xml_our_domain(doc), "disk");

	while (disk && !xml_is(disk, "target", target))
		disk = xml_our_next(disk);
	return disk;
}

char *xml_source_path(const xmlNode *source, const char *type)
{
	if (strcmp(type, "block") == 0)
		return xml_get(source, "dev");
	if (strcmp(type, "file") == 0)
		return xml_get(source, "file");
	if (strcmp(type, "dir") == 0)
		return xml_get(source, "dir");
	return NULL;
}

static int depth_of(const xmlNode *node)
{
	int depth = 0;

	while (node->parent && node->parent->type == XML_ELEMENT_NODE) {
		node = node->parent;
		depth++;
	}
	return depth;
}

static void add_break(xmlNode *parent, int depth)
{
	xmlNodeAddContent(parent, (const xmlChar *)"\n");
	for (int i = 0; i < depth; i++)
		xmlNodeAddContent(parent, (const xmlChar *)INDENT);
}

void xml_add_line(xmlNode *parent, xmlNode *child)
{
	int depth = depth_of(parent);
	xmlNode *last = parent->last;

	/* What is there ends with the line break before </parent>. */
	if (last && last->type == XML_TEXT_NODE && xmlIsBlankNode(last)) {
		xmlUnlinkNode(last);
		xmlFreeNode(last);
	}
	add_break(parent, depth + 1);
	xmlAddChild(parent, child);
	add_break(parent, depth);
}

void xml_remove_line(xmlNode *node)
{
	xmlNode *before = node->prev;

	if (before && before->type == XML_TEXT_NODE && xmlIsBlankNode(before)) {
		xmlUnlinkNode(before);
		xmlFreeNode(before);
	}
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}
