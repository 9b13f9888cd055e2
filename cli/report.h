// What the database tells about itself, once, as JSON; and as a table for people made of that.
//
// Names end in their units (_bytes, _ms), which is how the table knows them.

#ifndef KEEL_CLI_REPORT_H_
#define KEEL_CLI_REPORT_H_

#include <absl/status/status.h>
#include <keel/check_report.h>
#include <keel/recovery_report.h>
#include <keel/stats.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace keel::cli {

nlohmann::ordered_json ToJson(const DatabaseStats& stats);
nlohmann::ordered_json ToJson(const RecoveryReport& report);
nlohmann::ordered_json ToJson(const CheckReport& report);

// Name and value a line. A member that is an object becomes a section, an array of objects a table
// with a column for each member.
std::string FormatTable(const nlohmann::ordered_json& report);

// Prints a report to standard output, as JSON or as a table.
absl::Status PrintReport(const nlohmann::ordered_json& report, bool json);

}  // namespace keel::cli

#endif  // KEEL_CLI_REPORT_H_
