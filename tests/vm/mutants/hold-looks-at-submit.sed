# file: dm-dsync-hold-target.c
#
# A read looks for copies when it begins, in place of when it has completed.
/^static int hold_map(/i\static bool has_copies(const struct hold_read *rd);\n
/^	if (!is_covered(rd))$/i\	rd->settled = !has_copies(rd);
