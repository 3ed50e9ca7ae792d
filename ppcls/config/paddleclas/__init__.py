"""Everything that translates PaddleClas's dialects: 2.x, the flat 2.0 format, and inference.yml."""
