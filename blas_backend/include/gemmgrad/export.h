/* gemmgrad/export.h - visibility and format attributes used by every public header. */
#ifndef GEMMGRAD_EXPORT_H
#define GEMMGRAD_EXPORT_H

#if defined(__GNUC__)
#define GG_API __attribute__((visibility("default")))
#define GG_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define GG_API
#define GG_PRINTF(text, first)
#endif

#endif
