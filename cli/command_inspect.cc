// keel inspect ...: shows what stands in the files, field by field, past any damage.

#include <absl/strings/str_format.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"
#include "btree/describe.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/data_file.h"
#include "cli/inspect_log.h"
#include "cli/output.h"
#include "io/posix_file_system.h"
#include "pager/catalogue.h"
#include "pager/describe.h"
#include "pager/page_format.h"

namespace keel::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  std::string directory;
  uint64_t page = 0;
  uint64_t page_bytes = 0;
  bool json = false;
  InspectLogOptions log;
};

ordered_json ToJson(const pager::Description& description) {
  ordered_json fields = ordered_json::array();
  for (const pager::DescribedField& field : description.fields) {
    fields.push_back({{"offset", field.offset},
                      {"size", field.size},
                      {"name", field.name},
                      {"value", field.value}});
  }
  return {{"kind", description.kind},
          {"ok", description.status.ok()},
          {"problem", std::string(MessageOf(description.status))},
          {"fields", std::move(fields)}};
}

std::string VerdictOf(const absl::StatusOr<pager::SuperblockChoice>& choice) {
  if (!choice.ok()) {
    return absl::StrFormat("an open chooses none: %s\n", MessageOf(choice.status()));
  }
  return absl::StrFormat("an open chooses generation %d, incarnation %d\n",
                         choice->chosen.generation.value, choice->chosen.incarnation);
}

absl::Status InspectSuperblock(const Arguments& arguments) {
  io::PosixFileSystem file_system;
  KEEL_ASSIGN_OR_RETURN(DataFile file, DataFile::Open(&file_system, arguments.directory));
  Output output;
  ordered_json copies = ordered_json::array();
  for (const uint64_t offset : pager::kSuperblockOffsets) {
    const absl::StatusOr<AlignedBuffer> block = file.Read(offset, pager::kSuperblockBytes);
    pager::Description description;
    if (block.ok()) {
      description = pager::DescribeSuperblock(block->span(), offset);
    } else {
      description = {"superblock", block.status(), {}};
    }
    if (!arguments.json) {
      output.Append(absl::StrFormat("at byte %d: %s\n", offset, pager::ToText(description)));
    }
    copies.push_back(ToJson(description));
    copies.back()["at"] = offset;
  }
  const std::string verdict = VerdictOf(file.superblock());
  output.Append(arguments.json
                    ? ordered_json{{"copies", copies}, {"verdict", verdict}}.dump() + "\n"
                    : verdict);
  return output.Close();
}

bool IsTreePage(const AlignedBuffer& page) {
  const auto kind = static_cast<pager::PageKind>(pager::HeaderOf(page.data()).kind);
  return kind == pager::PageKind::kLeaf || kind == pager::PageKind::kInternal;
}

absl::Status InspectPage(const Arguments& arguments) {
  io::PosixFileSystem file_system;
  KEEL_ASSIGN_OR_RETURN(DataFile file, DataFile::Open(&file_system, arguments.directory));
  const uint64_t page_bytes = arguments.page_bytes > 0 ? arguments.page_bytes : file.page_bytes();
  if (page_bytes > pager::kMaxPageBytes ||
      !pager::IsValidPageBytes(static_cast<uint32_t>(page_bytes))) {
    return absl::InvalidArgumentError("--page-bytes: pages have 4096 to 65536 bytes");
  }
  if (arguments.page >= (uint64_t{1} << 62) / page_bytes) {
    return absl::InvalidArgumentError("there is no page of such a number");
  }
  KEEL_ASSIGN_OR_RETURN(const AlignedBuffer page,
                        file.Read(arguments.page * page_bytes, page_bytes));
  const pager::Description description =
      pager::DescribePage(page.span(), file.database(), PageId{arguments.page});
  const std::string node = IsTreePage(page) ? btree::DescribeNode(page.span()) : "";
  Output output;
  if (arguments.json) {
    ordered_json json = ToJson(description);
    if (!node.empty()) json["node"] = node;
    output.Append(json.dump() + "\n");
  } else {
    output.Append(pager::ToText(description) + node);
  }
  return output.Close();
}

absl::Status InspectCatalogue(const Arguments& arguments) {
  io::PosixFileSystem file_system;
  KEEL_ASSIGN_OR_RETURN(DataFile file, DataFile::Open(&file_system, arguments.directory));
  KEEL_RETURN_IF_ERROR(file.superblock().status());
  const pager::Superblock& superblock = file.superblock()->chosen;
  KEEL_ASSIGN_OR_RETURN(
      const pager::CatalogueImage image,
      pager::ReadCataloguePages(file.file(), superblock.database, superblock.page_bytes,
                                superblock.generation, superblock.catalogue));
  const pager::Description description = pager::DescribeCatalogue(image.bytes);
  Output output;
  output.Append(arguments.json ? ToJson(description).dump() + "\n" : pager::ToText(description));
  return output.Close();
}

absl::Status InspectLog(const Arguments& arguments) {
  io::PosixFileSystem file_system;
  Output output;
  KEEL_RETURN_IF_ERROR(
      PrintLog(&file_system, arguments.directory, arguments.log, arguments.json, &output));
  return output.Close();
}

CLI::App& AddPart(Program& program, CLI::App& group, const std::string& name,
                  const std::string& description, absl::Status (*run)(const Arguments&),
                  const std::shared_ptr<Arguments>& arguments) {
  CLI::App& command = program.Add(
      name, description, [arguments, run] { return run(*arguments); }, &group);
  command.add_option("DB", arguments->directory, "Directory of the database")->required();
  command.add_flag("--json", arguments->json, "As JSON");
  return command;
}

}  // namespace

void AddInspectCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& group = program.AddGroup(
      "inspect", "Show what stands in the files, past any damage; never locks or writes");
  AddPart(program, group, "superblock", "The four copies, and which one an open chooses",
          InspectSuperblock, arguments);
  AddPart(program, group, "catalogue", "Keyspaces, their roots, and the directory of free space",
          InspectCatalogue, arguments);
  CLI::App& page =
      AddPart(program, group, "page", "One page of the data file", InspectPage, arguments);
  page.add_option("N", arguments->page, "Number of the page")->required();
  AddSizeOption(page, "--page-bytes", &arguments->page_bytes, "Size of pages (the superblock's)");
  CLI::App& log = AddPart(program, group, "log", "Every segment and frame, valid or not",
                          InspectLog, arguments);
  log.add_flag("--records", arguments->log.records, "Also the records of each frame");
  log.add_flag("--operations", arguments->log.operations, "Also the operations of each record");
}

}  // namespace keel::cli
