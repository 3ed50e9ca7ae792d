#include "ppcls/core/jpeg_markers.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr unsigned kHuffmanTables = 0xC4;
constexpr unsigned kEndOfImage = 0xD9;
constexpr unsigned kStartOfScan = 0xDA;
constexpr unsigned kRestartInterval = 0xDD;
constexpr unsigned kApp0 = 0xE0;
constexpr unsigned kApp1 = 0xE1;
constexpr unsigned kApp14 = 0xEE;
constexpr unsigned kApp15 = 0xEF;
constexpr unsigned kComment = 0xFE;
constexpr std::size_t kFlushed = 8;  // bytes of any value that encoders in hardware leave before the end marker
constexpr std::size_t kHole = 64;    // zeros that are not coded data
constexpr int kCoefficients = 64;    // of a block

bool is_frame(unsigned kind) {
  return kind >= 0xC0 && kind <= 0xCF && kind != kHuffmanTables && kind != 0xC8 && kind != 0xCC;
}

bool is_sequential(unsigned process) { return process == 0xC0 || process == 0xC1; }
bool is_progressive(unsigned process) { return process == 0xC2 || process == 0xCA; }
bool is_known(unsigned process) {
  return is_sequential(process) || is_progressive(process) || process == 0xC3 || process == 0xC9;
}

// A marker that is neither a restart marker nor a fill byte nor a zero behind 0xFF.
bool begins_segment(unsigned kind) { return (kind >= 0x02 && kind <= 0xCF) || (kind >= 0xD9 && kind <= 0xFE); }

std::size_t find_marker(Bytes file, std::size_t position) {
  for (std::size_t at = position; at + 1 < file.size(); ++at) {
    if (file[at] == 0xFF && begins_segment(file[at + 1])) {
      return at;
    }
  }
  return Bytes::npos;
}

// What stands before the coded data.
struct Headers {
  std::size_t frame_at = 0;
  int restart = 0;
  std::string exif;
  std::string xmp;
};

void read_app1(Bytes file, const Segment& segment, Headers& headers) {
  using namespace std::string_view_literals;
  constexpr auto kExif = "Exif\0\0"sv;
  constexpr auto kXmp = "http://ns.adobe.com/xap/1.0/\0"sv;
  if (file.has_at(segment.body, kExif)) {
    headers.exif += file.part(segment.body + kExif.size(), segment.end);
  } else if (file.has_at(segment.body, kXmp)) {
    headers.xmp = file.part(segment.body + kXmp.size(), segment.end);
  }
}

std::optional<Frame> checked_frame(Bytes file, const Headers& headers, std::size_t scan, std::size_t scan_at) {
  const std::size_t at = headers.frame_at;
  if (at == 0 || at + 10 > scan || scan == scan_at) {
    return std::nullopt;
  }
  const auto components = file[at + 9];
  const bool has_components = components == 1 || components == 3 || components == 4;
  const bool is_read = is_known(file[at + 1]) && file[at + 4] == 8 && has_components;
  if (!is_read || file.big_endian(at + 2, 2) != 8 + 3 * components) {
    return std::nullopt;
  }
  Frame frame;
  frame.process = file[at + 1];
  frame.height = static_cast<int>(file.big_endian(at + 5, 2));
  frame.width = static_cast<int>(file.big_endian(at + 7, 2));
  bool is_whole = frame.width > 0 && frame.height > 0;
  for (unsigned component = 0; component < components; ++component) {
    const unsigned blocks = file[at + 11 + 3 * std::size_t{component}];
    frame.sampling.emplace_back(blocks / 16, blocks % 16);
    is_whole = is_whole && blocks / 16 > 0 && blocks % 16 > 0;
  }
  if (!is_whole) {
    return std::nullopt;
  }
  frame.restart = headers.restart;
  frame.in_one_scan = file[scan] == components;
  frame.scan_at = scan_at;
  frame.exif = headers.exif;
  frame.xmp = headers.xmp;
  return frame;
}

// The count of a notice "N extraneous bytes before marker 0xd9"; 0 for any other.
std::size_t left_over(const std::string& notice) {
  constexpr std::string_view kWords = " extraneous bytes before marker 0xd9";
  if (notice.size() <= kWords.size() || notice.compare(notice.size() - kWords.size(), kWords.size(), kWords) != 0) {
    return 0;
  }
  const std::size_t end = notice.size() - kWords.size();
  std::size_t begin = end;
  while (begin > 0 && notice[begin - 1] >= '0' && notice[begin - 1] <= '9') {
    --begin;
  }
  const bool is_number = begin < end && end - begin < 10;
  return is_number ? std::stoul(notice.substr(begin, end - begin)) : 0;
}

// Where the bytes before `end` end, without fill bytes.
std::size_t without_fill_bytes(Bytes file, std::size_t end) {
  while (end > 0 && file[end - 1] == 0xFF) {
    --end;
  }
  return end;
}

bool has_all_restarts(Bytes file, const Frame& frame) {
  if (!frame.runs_from_the_top()) {
    return false;
  }
  int across = 1;
  int down = 1;
  if (frame.sampling.size() > 1) {
    for (const auto& [horizontal, vertical] : frame.sampling) {
      across = std::max(across, horizontal);
      down = std::max(down, vertical);
    }
  }
  const auto units = [](int length, int blocks) { return (length + 8 * blocks - 1) / (8 * blocks); };
  const std::int64_t all = std::int64_t{units(frame.width, across)} * units(frame.height, down);
  const std::int64_t wanted = (all + frame.restart - 1) / frame.restart - 1;
  const std::size_t end = end_of_image(file, frame.scan_at).value_or(file.size());
  std::int64_t found = 0;
  for (std::size_t at = frame.scan_at; at + 1 < end; ++at) {
    found += file[at] == 0xFF && file[at + 1] >= 0xD0 && file[at + 1] <= 0xD7 ? 1 : 0;
  }
  return found == wanted;
}

// Whether the shortest code word ends a block in all tables that the first scan uses; true without a scan.
bool zeros_end_blocks(Bytes file) {
  std::map<unsigned, unsigned> first_words;  // by table
  for (const Segment& segment : segments(file)) {
    const std::size_t end = std::min(segment.end, file.size());
    if (segment.kind == kHuffmanTables) {
      std::size_t table = segment.body;
      while (table + 17 < end) {
        std::size_t words = 0;
        for (std::size_t length = 1; length <= 16; ++length) {
          words += file[table + length];
        }
        if (file[table] / 16 == 1) {
          first_words[file[table] % 16] = file[table + 17];
        }
        table += 17 + words;
      }
    } else if (segment.kind == kStartOfScan) {
      bool all = true;
      for (std::size_t at = segment.body + 2; at + 3 < end; at += 2) {
        const auto word = first_words.find(file[at] % 16);
        all = all && (word == first_words.end() || word->second % 16 == 0);
      }
      return all;
    }
  }
  return true;
}

// Whether a run of zeros, before the padding at the end, cannot be coded data.
bool has_hole(Bytes file, const Frame& frame, std::size_t padding) {
  const std::string zeros(kHole, '\0');
  if (!frame.runs_from_the_top() || file.find(zeros, frame.scan_at) == Bytes::npos) {
    return false;
  }
  std::size_t end = end_of_image(file, frame.scan_at).value_or(frame.scan_at);
  if (padding > 0) {
    end = without_fill_bytes(file, end) - padding;
  }
  const std::size_t place = file.find(zeros, frame.scan_at);
  return place != Bytes::npos && place + kHole <= end && !zeros_end_blocks(file);
}

// Whether the scans give every bit of every coefficient. Decoders take what never comes for zero.
bool has_all_scans(Bytes file, const Frame& frame) {
  const bool in_steps = is_progressive(frame.process);
  if (frame.in_one_scan && !in_steps) {
    return true;
  }
  std::map<unsigned, std::array<unsigned, kCoefficients>> missing;  // bits, by component
  for (const Segment& segment : segments(file)) {
    const std::size_t end = std::min(segment.end, file.size());
    if (segment.kind == frame.process) {
      for (std::size_t at = segment.body + 6; at < end; at += 3) {
        missing[file[at]].fill(16);
      }
    } else if (segment.kind == kStartOfScan && end >= segment.body + 3) {
      const unsigned first = in_steps ? file[end - 3] : 0;
      const unsigned last = in_steps ? std::min(file[end - 2], 63U) : 63;
      const unsigned bits = in_steps ? file[end - 1] & 0x0FU : 0;
      for (std::size_t at = segment.body + 1; at + 3 < end; at += 2) {
        auto& component = missing[file[at]];
        for (unsigned place = first; place <= last; ++place) {
          component[place] = bits;
        }
      }
    }
  }
  for (const auto& [component, bits] : missing) {
    if (std::any_of(bits.begin(), bits.end(), [](unsigned left) { return left > 0; })) {
      return false;
    }
  }
  return true;
}

// A segment's parameters with usual values; nothing for a segment that does not matter to the pixels.
std::optional<std::string> usual_body(unsigned kind, std::string body, const Frame& frame) {
  using namespace std::string_view_literals;
  if (kind == kApp0 && body.substr(0, 5) == "JFIF\0"sv) {
    if (body.size() > 5) {
      body[5] = 1;
    }
    return body;
  }
  if (kind == kApp14 && body.size() >= 12 && body.substr(0, 5) == "Adobe") {
    if (body[11] != 0) {
      body[11] = frame.sampling.size() == 4 ? 2 : 1;
    }
    return body;
  }
  if (kind == kStartOfScan && is_sequential(frame.process) && body.size() >= 3) {
    body.replace(body.size() - 3, 3, "\0\x3F\0"sv);
    return body;
  }
  if ((kind >= kApp0 && kind <= kApp15) || kind == kComment) {
    return std::nullopt;
  }
  return body;
}

}  // namespace

std::vector<Segment> segments(Bytes file, std::size_t position) {
  std::vector<Segment> found;
  while (true) {
    const std::size_t at = find_marker(file, position);
    if (at == Bytes::npos) {
      return found;
    }
    const unsigned kind = file[at + 1];
    const std::size_t length_at = at + 2;
    if (kind == kEndOfImage) {
      found.push_back({kind, at, length_at, length_at});
      return found;
    }
    const std::size_t stated = std::min<std::size_t>(2, file.size() - std::min(length_at, file.size()));
    position = length_at + file.big_endian(length_at, stated);
    found.push_back({kind, at, length_at + 2, position});
  }
}

std::optional<std::size_t> end_of_image(Bytes file, std::size_t position) {
  // `segments` without keeping them: coded data may hold thousands
  while (true) {
    const std::size_t at = find_marker(file, position);
    if (at == Bytes::npos) {
      return std::nullopt;
    }
    if (file[at + 1] == kEndOfImage) {
      return at;
    }
    position = at + 2 + file.big_endian(at + 2, 2);
  }
}

std::size_t end_of_scan(Bytes file, std::size_t position) {
  for (std::size_t at = position; at + 1 < file.size(); ++at) {
    const unsigned kind = file[at + 1];
    const bool is_marker = (kind >= 0x01 && kind <= 0xCF) || (kind >= 0xD8 && kind <= 0xFE);
    if (file[at] == 0xFF && is_marker) {
      return at;
    }
  }
  return file.size();
}

int count_scans(Bytes file) {
  const auto all = segments(file);
  return static_cast<int>(
      std::count_if(all.begin(), all.end(), [](const Segment& each) { return each.kind == kStartOfScan; }));
}

std::optional<JpegSize> jpeg_size(Bytes file) {
  for (const Segment& segment : segments(file)) {
    if (segment.kind == kStartOfScan) {
      return std::nullopt;
    }
    if (is_frame(segment.kind) && segment.body + 6 <= file.size()) {
      return JpegSize{static_cast<int>(file.big_endian(segment.body + 3, 2)),
                      static_cast<int>(file.big_endian(segment.body + 1, 2)), static_cast<int>(file[segment.body + 5])};
    }
  }
  return std::nullopt;
}

std::string jpeg_refusal(Bytes file) {
  for (const Segment& segment : segments(file)) {
    if (!is_frame(segment.kind) || segment.body >= file.size()) {
      continue;
    }
    if (file[segment.body] != 8) {
      return "the JPEG has " + std::to_string(file[segment.body]) + " bits per value; save it with 8 bits";
    }
    if (!is_known(segment.kind)) {
      return "the JPEG is hierarchical, or lossless by arithmetic code; save it as baseline or progressive";
    }
  }
  return "";
}

std::optional<Frame> jpeg_frame(Bytes file) {
  if (!file.has_at(0, "\xFF\xD8\xFF")) {
    return std::nullopt;
  }
  Headers headers;
  std::size_t position = 2;
  while (position + 4 <= file.size()) {
    const unsigned kind = file[position + 1];
    const bool has_length =
        file[position] == 0xFF && ((kind >= 0x02 && kind <= 0xCF) || (kind >= 0xDA && kind <= 0xFE));
    if (!has_length) {
      position = find_marker(file, position);
      if (position == Bytes::npos || file[position + 1] == kEndOfImage) {
        return std::nullopt;
      }
      continue;
    }
    const std::size_t start = position;
    const std::size_t body = position + 4;
    position = std::max<std::size_t>(body, start + 2 + file.big_endian(start + 2, 2));
    if (position > file.size()) {
      return std::nullopt;
    }
    if (kind == kStartOfScan) {
      return checked_frame(file, headers, body, position);
    }
    if (kind == kApp1) {
      read_app1(file, {kind, start, body, position}, headers);
    } else if (kind == kRestartInterval) {
      headers.restart = static_cast<int>(file.big_endian(body, 2));
    } else if (is_frame(kind)) {
      if (headers.frame_at != 0) {
        return std::nullopt;
      }
      headers.frame_at = start;
    }
  }
  return std::nullopt;
}

std::size_t padding_before_end(Bytes file, const Frame& frame, const std::string& notice) {
  const std::size_t count = left_over(notice);
  const auto end = end_of_image(file, frame.scan_at);
  if (count == 0 || !end) {
    return 0;
  }
  if (frame.restart > 0 && !has_all_restarts(file, frame)) {
    return 0;  // the bytes may stand where a restart marker is missing
  }
  const std::size_t last = without_fill_bytes(file, *end);
  const std::string_view padding = file.part(last - std::min(count, last), last);
  const bool is_plain = padding.find_first_not_of(padding.substr(0, 1)) == std::string_view::npos;
  return count <= kFlushed || is_plain ? std::min(count, last) : 0;
}

void check_complete(Bytes file, const Frame& frame, const std::string& notice) {
  std::size_t padding = 0;
  if (!notice.empty()) {
    expect_readable(end_of_image(file, frame.scan_at).has_value(), "the file is truncated");
    padding = padding_before_end(file, frame, notice);
    expect_readable(padding > 0, "its coded data is damaged or incomplete (" + notice + ")");
  }
  expect_readable(!has_hole(file, frame, padding),
                  "its coded data is damaged: a part of it was overwritten with zeros");
  expect_readable(has_all_scans(file, frame), "its coded data is incomplete: scans are missing");
}

std::vector<std::uint8_t> without_harmless_defects(Bytes file, const Frame& frame) {
  std::string kept(file.part(0, 2));
  std::size_t coded = 0;  // where the coded data before a segment begins
  for (const Segment& segment : segments(file)) {
    if (coded > 0) {
      kept += file.part(coded, segment.start);
    }
    coded = segment.kind == kStartOfScan ? segment.end : 0;
    const auto body = usual_body(segment.kind, std::string(file.part(segment.body, segment.end)), frame);
    if (body) {
      kept += file.part(segment.start, segment.body);
      kept += *body;
    }
  }
  if (coded > 0) {
    kept += file.part(coded, file.size());
  }
  return {kept.begin(), kept.end()};
}

}  // namespace ppcls
