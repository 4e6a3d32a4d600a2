/* gemmgrad/blas_backend.h - the whole backend: plain functions over float arrays. */
#ifndef GEMMGRAD_BLAS_BACKEND_H
#define GEMMGRAD_BLAS_BACKEND_H

#include <gemmgrad/attention.h>
#include <gemmgrad/backend.h>
#include <gemmgrad/conv.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/gated.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/lapack.h>
#include <gemmgrad/layernorm.h>
#include <gemmgrad/matmul.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/norm.h>
#include <gemmgrad/pool.h>
#include <gemmgrad/positions.h>
#include <gemmgrad/recurrent.h>
#include <gemmgrad/rows.h>
#include <gemmgrad/scores.h>
#include <gemmgrad/softmax.h>
#include <gemmgrad/status.h>
#include <gemmgrad/update.h>

#endif
