// YAML of a manifest as JSON values.
#pragma once

#include <string>

#include "ppcls/core/json.hpp"

namespace ppcls {

// Throws a UserError, which begins with `where`, for what is not YAML and for values out of proportion to the text.
Json parse_yaml(const std::string& text, const std::string& where);

}  // namespace ppcls
