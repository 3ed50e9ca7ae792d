// Runs transforms on raw pictures: `core-probe < REQUESTS > TENSORS`.
//
// Each request is a line of JSON, {"width": W, "height": H, "transforms": [...], "size": BYTES OF THE ANSWER}, and
// H * W * 3 bytes in red, green and blue. Each answer is float32 in planes, or, where the request has an error, the
// line `error: SENTENCE` on stderr and nothing else.
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

#include "ppcls/core/error.hpp"
#include "ppcls/core/pipeline.hpp"

int main() {
#ifdef _WIN32
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  std::string line;
  while (std::getline(std::cin, line)) {
    try {
      const ppcls::Json request = ppcls::parse_json(line, "request");
      ppcls::ByteImage picture(request.at("width"), request.at("height"), 3);
      std::cin.read(reinterpret_cast<char*>(picture.values.data()),
                    static_cast<std::streamsize>(picture.values.size()));
      const ppcls::Pipeline pipeline(request.at("transforms"), "transforms");
      std::vector<float> planes(request.at("size").get<std::size_t>() / sizeof(float));
      pipeline.run(std::move(picture), planes.data());
      std::cout.write(reinterpret_cast<const char*>(planes.data()), request.at("size").get<std::streamsize>());
    } catch (const ppcls::UserError& error) {
      std::cerr << "error: " << error.what() << "\n";
      return 2;
    }
  }
  return 0;
}
