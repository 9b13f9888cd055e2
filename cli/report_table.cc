// The table for people that a report in JSON becomes.

#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "cli/report.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

using nlohmann::ordered_json;

bool IsTable(const ordered_json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

// "last_ms" is "last", its value being shown with the unit.
std::string Label(std::string_view name) {
  for (const std::string_view unit : {"_bytes", "_ms"}) {
    if (name.ends_with(unit)) name.remove_suffix(unit.size());
  }
  std::string label(name);
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

std::string Number(std::string_view name, const ordered_json& value) {
  if (name.ends_with("_ms")) return absl::StrFormat("%.1f ms", value.get<double>());
  if (!value.is_number_unsigned()) return value.dump();
  const auto number = value.get<uint64_t>();
  if (name.ends_with("_bytes")) return FormatSize(number);
  // Positions and ids are compared digit by digit, not read as amounts.
  const bool is_id = name.ends_with("_lsn") || name == "lsn" || name == "generation";
  return is_id ? std::to_string(number) : FormatCount(number);
}

std::string Cell(std::string_view name, const ordered_json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return Number(name, value);
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const ordered_json& element : value) {
    list += (list.empty() ? "" : "; ") + Cell(name, element);
  }
  return list;
}

void AppendRow(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
               std::string* out) {
  std::string row = " ";
  for (size_t i = 0; i < cells.size(); ++i) {
    row += ' ' + cells[i];
    // Counts bytes: only names of keyspaces may be anything but ASCII.
    if (cells[i].size() < widths[i]) row.append(widths[i] - cells[i].size(), ' ');
    row += ' ';
  }
  row.erase(row.find_last_not_of(' ') + 1);
  *out += row + '\n';
}

void AppendTable(const ordered_json& rows, std::string* out) {
  std::vector<std::string> names;
  for (const ordered_json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  std::vector<std::vector<std::string>> lines(1);
  for (const std::string& name : names) lines[0].push_back(Label(name));
  for (const ordered_json& row : rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& name : names) {
      line.push_back(row.contains(name) ? Cell(name, row[name]) : "");
    }
  }
  std::vector<size_t> widths(names.size());
  for (const std::vector<std::string>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const std::vector<std::string>& line : lines) AppendRow(line, widths, out);
}

void AppendMembers(const ordered_json& object, std::string_view indent, std::string* out) {
  size_t width = 0;
  for (const auto& [name, value] : object.items()) width = std::max(width, Label(name).size());
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() || IsTable(value)) continue;
    const std::string cell = Cell(name, value);
    if (cell.empty()) continue;
    *out += absl::StrFormat("%s%-*s  %s\n", indent, static_cast<int>(width), Label(name), cell);
  }
}

}  // namespace

std::string FormatTable(const ordered_json& report) {
  std::string out;
  AppendMembers(report, "", &out);
  for (const auto& [name, value] : report.items()) {
    if (!value.is_object() && !IsTable(value)) continue;
    out += absl::StrFormat("%s%s\n", out.empty() ? "" : "\n", Label(name));
    value.is_object() ? AppendMembers(value, "  ", &out) : AppendTable(value, &out);
  }
  return out;
}

absl::Status PrintReport(const ordered_json& report, bool json) {
  Output output;
  output.Append(json ? report.dump() + "\n" : FormatTable(report));
  return output.Close();
}

}  // namespace keel::cli
