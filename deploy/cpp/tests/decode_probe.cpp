// Decodes picture files, for the comparison with Python: `decode-probe < PATHS > PIXELS`.
//
// For each line, which is a path, the answer is a line of JSON, {"width": W, "height": H} and H * W * 3 bytes in red,
// green and blue behind it; or {"error": REASON}.
#include <cstdint>
#include <iostream>
#include <string>

#include "ppcls/bundle.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/pictures.hpp"

int main() {
  static_cast<void>(ppcls::opencv_resize());
  std::string line;
  while (std::getline(std::cin, line)) {
    ppcls::Json head;
    ppcls::ByteImage picture;
    try {
      picture = ppcls::decode_picture(ppcls::read_file(std::filesystem::u8path(line)), ppcls::Decoding{});
      head = {{"width", picture.width}, {"height", picture.height}};
    } catch (const ppcls::UserError& error) {
      head = {{"error", error.what()}};
    }
    std::cout << head.dump(-1, ' ', true, ppcls::Json::error_handler_t::replace) << "\n";
    if (!picture.values.empty()) {
      std::cout.write(reinterpret_cast<const char*>(picture.values.data()),
                      static_cast<std::streamsize>(picture.values.size()));
    }
  }
  return 0;
}
