/* gemmgrad/layers.h - everything above the backend. */
#ifndef GEMMGRAD_LAYERS_H
#define GEMMGRAD_LAYERS_H

#include <gemmgrad/attend.h>
#include <gemmgrad/digits.h>
#include <gemmgrad/fit.h>
#include <gemmgrad/idx.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>
#include <gemmgrad/optimizer.h>
#include <gemmgrad/pairs.h>
#include <gemmgrad/random.h>
#include <gemmgrad/safetensors.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/source.h>
#include <gemmgrad/spiral.h>
#include <gemmgrad/tales.h>
#include <gemmgrad/text.h>
#include <gemmgrad/trainer.h>
#include <gemmgrad/transformer.h>
#include <gemmgrad/words.h>

#endif
