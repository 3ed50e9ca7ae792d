// JPEGs whose chroma is sampled in a way that libturbojpeg does not know, by libjpeg's own interface.
#pragma once

#include <string>

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"

namespace ppcls {

// Decodes all rows to the channels of `pixels`, which are red, green and blue, or inverted CMYK.
//
// Returns the first notice or failure; empty where nothing was wrong.
std::string decode_any_sampling(Bytes file, ByteImage& pixels);

}  // namespace ppcls
