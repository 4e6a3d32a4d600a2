# Comments of the headers as Doxygen wants them: /** before a declaration, /**< behind one, @file at the top.
1s|^/\* (gemmgrad/[a-z_0-9/]+\.h) - |/** @file \1\n * |
/^\/\* ----/d
s|^( *)/\* |\1/** |
s|([^ ]) +/\* |\1 /**< |
# What Doxygen would take for markup.
/^#/!s|<([^ =<])|\&lt;\1|g
s|/\*\*&lt; |/**< |
s|\\|\\\\|g
# A line of code in a comment is no link.
/^ \*/s|#|\\#|g
