#include "cli/inspect_log.h"

#include <absl/strings/str_format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/storage.h"
#include "recovery/record_table.h"
#include "wal/describe.h"
#include "wal/frame_format.h"

namespace keel::cli {
namespace {

using nlohmann::ordered_json;
using wal::PieceDescription;

std::vector<std::string> RecordsOf(const PieceDescription& piece,
                                   const InspectLogOptions& options) {
  std::vector<std::string> texts;
  if (piece.kind != PieceDescription::Kind::kFrame) return texts;
  if (!options.records && !options.operations) return texts;
  wal::RecordWalker records(Lsn{piece.header.lsn}, piece.payload);
  while (records.Next()) {
    texts.push_back(absl::StrFormat("lsn %d: %s", records.end().value,
                                    recovery::DescribeRecord(records.bytes(), options.operations)));
  }
  return texts;
}

absl::Status PrintSegment(io::File* file, const InspectLogOptions& options, Output* output) {
  output->Append(absl::StrFormat("%s\n", file->path().filename().native()));
  const auto tell = [&](const PieceDescription& piece) {
    output->Append(wal::PieceText(piece) + "\n");
    for (const std::string& record : RecordsOf(piece, options)) {
      output->Append("    " + record + "\n");
    }
    return output->status().ok();
  };
  KEEL_ASSIGN_OR_RETURN(const wal::SegmentDescription segment, wal::DescribeSegment(file, tell));
  output->Append(wal::SegmentText(segment) + "\n\n");
  return absl::OkStatus();
}

absl::Status PrintSegmentJson(io::File* file, const InspectLogOptions& options, Output* output) {
  ordered_json pieces = ordered_json::array();
  const auto tell = [&](const PieceDescription& piece) {
    pieces.push_back({{"offset", piece.offset},
                      {"bytes", piece.bytes},
                      {"frame", piece.kind == PieceDescription::Kind::kFrame},
                      {"text", wal::PieceText(piece)}});
    if (options.records || options.operations) {
      pieces.back()["records"] = RecordsOf(piece, options);
    }
    return true;
  };
  KEEL_ASSIGN_OR_RETURN(const wal::SegmentDescription segment, wal::DescribeSegment(file, tell));
  const ordered_json json = {{"file", file->path().filename().native()},
                             {"ok", segment.problem.empty()},
                             {"text", wal::SegmentText(segment)},
                             {"pieces", std::move(pieces)}};
  output->Append(json.dump() + "\n");
  return absl::OkStatus();
}

}  // namespace

absl::Status PrintLog(io::FileSystem* file_system, const std::filesystem::path& database,
                      const InspectLogOptions& options, bool json, Output* output) {
  const absl::StatusOr<std::vector<std::filesystem::path>> paths =
      wal::ListSegments(file_system, database / engine::kLogDirectoryName);
  if (absl::IsNotFound(paths.status())) {
    return MakeStatus(absl::StatusCode::kNotFound, "there is no log in %s (no directory %s)",
                      database.native(), engine::kLogDirectoryName);
  }
  KEEL_RETURN_IF_ERROR(paths.status());
  for (const std::filesystem::path& path : *paths) {
    absl::StatusOr<std::unique_ptr<io::File>> file = file_system->Open(path, {.read_only = true});
    absl::Status printed = file.status();
    if (file.ok()) {
      printed = json ? PrintSegmentJson(file->get(), options, output)
                     : PrintSegment(file->get(), options, output);
    }
    if (!printed.ok() && !json) {
      output->Append(absl::StrFormat("%s: %s\n\n", path.native(), MessageOf(printed)));
    }
    KEEL_RETURN_IF_ERROR(output->status());
  }
  return absl::OkStatus();
}

}  // namespace keel::cli
