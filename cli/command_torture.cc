// keel torture: how Keel fares in a world where everything goes wrong. Touches no real file.

#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "torture/campaign.h"
#include "torture/runner.h"

namespace keel::cli {
namespace {

using torture::Campaign;
using torture::CampaignLetter;
using torture::CampaignName;
using torture::Case;
using torture::Runner;
using torture::Tally;
using torture::Violation;

struct Arguments {
  std::string campaigns = "all";
  uint64_t seed = 1;
  double seconds = 0;
  uint64_t cases = 0;
  size_t threads = 0;
  std::string replay;
  std::string failures = ".";
  bool shrink = true;
};

absl::StatusOr<std::vector<Campaign>> ParseCampaigns(const std::string& text) {
  if (text == "all")
    return std::vector<Campaign>(torture::kCampaigns.begin(), torture::kCampaigns.end());
  std::vector<Campaign> campaigns;
  for (const char letter : text) {
    if (letter == ',') continue;
    const std::optional<Campaign> campaign = torture::CampaignOf(letter);
    if (!campaign.has_value()) {
      return MakeStatus(absl::StatusCode::kInvalidArgument,
                        "--campaign %s: there is no campaign %c; there are A to %c, and all", text,
                        letter, CampaignLetter(torture::kCampaigns.back()));
    }
    campaigns.push_back(*campaign);
  }
  return campaigns;
}

nlohmann::ordered_json ToJson(const Case& what, const Violation& violation) {
  nlohmann::ordered_json json;
  json["campaign"] = std::string(1, CampaignLetter(what.campaign));
  json["seed"] = what.seed;
  json["case"] = what.number;
  if (what.steps.has_value()) json["steps"] = *what.steps;
  json["where"] = violation.where;
  json["what"] = violation.what;
  return json;
}

absl::StatusOr<Case> ReadCase(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "--replay %s: it cannot be read", path);
  }
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto is_number = [&json](const char* name) {
    return json.contains(name) && json[name].is_number_unsigned();
  };
  const bool named = json.is_object() && json.contains("campaign") && json["campaign"].is_string();
  const std::string letter = named ? json["campaign"].get<std::string>() : "";
  const auto campaign = letter.size() == 1 ? torture::CampaignOf(letter[0]) : std::nullopt;
  if (!campaign.has_value() || !is_number("seed") || !is_number("case")) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "--replay %s: no case of a campaign, as a failed run writes them", path);
  }
  Case what{*campaign, json["seed"].get<uint64_t>(), json["case"].get<uint64_t>(), {}};
  if (!json.contains("steps")) return what;
  std::vector<size_t> steps;
  for (const auto& step : json["steps"]) {
    if (step.is_number_unsigned()) steps.push_back(step.get<size_t>());
  }
  what.steps = std::move(steps);
  return what;
}

std::string Describe(const Case& what, const Violation& violation) {
  return absl::StrFormat("VIOLATION in campaign %c, seed %d, case %d\n  %s\n  %s\n",
                         CampaignLetter(what.campaign), what.seed, what.number, violation.where,
                         violation.what);
}

// Shrinks it, writes it down, and says how to see it again.
absl::Status KeepFailure(const Arguments& arguments, const Violation& violation, Output& output) {
  Case what{violation.campaign, violation.seed, violation.number, {}};
  Violation shown = violation;
  if (arguments.shrink && torture::ScriptSteps(what) > 0) {
    Say(absl::StrFormat("shrinking case %d of campaign %c", what.number,
                        CampaignLetter(what.campaign)));
    what = torture::Shrink(what, 300);
    Tally tally;
    torture::RunCase(what, &tally);
    if (!tally.violations.empty()) shown = tally.violations.front();
  }
  output.Append(Describe(what, shown));
  const std::string path = absl::StrFormat("%s/torture-%c-%d-%d.json", arguments.failures,
                                           CampaignLetter(what.campaign), what.seed, what.number);
  std::ofstream file(path);
  file << ToJson(what, shown).dump(2) << '\n';
  file.close();
  if (!file) return MakeStatus(absl::StatusCode::kUnavailable, "%s cannot be written", path);
  output.Append(absl::StrFormat("  again: keel torture --replay %s\n", path));
  return absl::OkStatus();
}

// A line now and then while a campaign runs; and its end if a case does not come to one.
class Watch {
 public:
  Watch(const Runner& runner, Campaign campaign)
      : thread_([this, &runner, campaign] { Show(runner, campaign); }) {}
  ~Watch() {
    done_.Notify();
    thread_.join();
  }

 private:
  static constexpr absl::Duration kEvery = absl::Seconds(10);

  void Show(const Runner& runner, Campaign campaign) {
    while (!done_.WaitForNotificationWithTimeout(kEvery)) {
      const Tally tally = runner.tally();
      Say(
          absl::StrFormat("campaign %c: %d cases, %d distinct images, %d nested recoveries, %d "
                          "operations, %d faults; oldest case under way %d",
                          CampaignLetter(campaign), tally.cases, tally.Images(), tally.Nested(),
                          tally.operations, tally.faults, runner.oldest_case()));
    }
  }

  absl::Notification done_;
  std::thread thread_;
};

// Whether the campaign did its work: it met every rare state, if it was long enough.
absl::Status JudgeCoverage(Campaign campaign, const Tally& tally) {
  if (std::ranges::all_of(tally.recoveries, [](uint64_t count) { return count == 0; })) {
    return AnswerNo(
        absl::StrFormat("campaign %c had no time for a single recovery", CampaignLetter(campaign)));
  }
  if (tally.cases - tally.cut_short < torture::CasesToMeetAll(campaign)) return absl::OkStatus();
  std::string never;
  for (const auto& [state, count] : tally.sometimes) {
    if (count == 0) never += (never.empty() ? "" : ", ") + state;
  }
  if (never.empty()) return absl::OkStatus();
  return AnswerNo(absl::StrFormat("campaign %c never met: %s", CampaignLetter(campaign), never));
}

absl::Status RunCampaign(const Arguments& arguments, Campaign campaign, double seconds,
                         Output& output) {
  const absl::Time end =
      seconds > 0 ? absl::Now() + absl::Seconds(seconds) : absl::InfiniteFuture();
  Runner runner({.campaign = campaign,
                 .seed = arguments.seed,
                 .cases = arguments.cases,
                 .threads = arguments.threads,
                 .stop = [end] { return absl::Now() >= end; }});
  const absl::Time begin = absl::Now();
  {
    Watch watch(runner, campaign);
    runner.Run();
  }
  const Tally tally = runner.tally();
  output.Append(absl::StrFormat(
      "Campaign %c, %s: seed %d, %.1f s\n%s", CampaignLetter(campaign), CampaignName(campaign),
      arguments.seed, absl::ToDoubleSeconds(absl::Now() - begin), torture::Describe(tally)));
  if (tally.violations.empty()) {
    output.Append("no violation\n\n");
    output.Flush();
    return JudgeCoverage(campaign, tally);
  }
  KEEL_RETURN_IF_ERROR(KeepFailure(arguments, tally.violations.front(), output));
  return AnswerNo("Keel broke a promise");
}

absl::Status Replay(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const Case what, ReadCase(arguments.replay));
  Tally tally;
  torture::RunCase(what, &tally);
  Output output;
  for (const Violation& violation : tally.violations) output.Append(Describe(what, violation));
  if (tally.violations.empty()) output.Append(torture::Describe(tally) + "no violation\n");
  KEEL_RETURN_IF_ERROR(output.Close());
  return tally.violations.empty() ? absl::OkStatus() : AnswerNo("Keel broke a promise");
}

absl::Status Torture(Arguments arguments) {
  if (!arguments.replay.empty()) return Replay(arguments);
  KEEL_ASSIGN_OR_RETURN(const std::vector<Campaign> campaigns, ParseCampaigns(arguments.campaigns));
  if (campaigns.empty()) return absl::InvalidArgumentError("--campaign names no campaign");
  if (arguments.seconds <= 0 && arguments.cases == 0) arguments.seconds = 60;
  if (arguments.threads == 0) arguments.threads = std::max(1U, std::thread::hardware_concurrency());
  Output output;
  absl::Status first;
  for (const Campaign campaign : campaigns) {
    const absl::Status status = RunCampaign(
        arguments, campaign, arguments.seconds / static_cast<double>(campaigns.size()), output);
    if (first.ok()) first = status;
  }
  KEEL_RETURN_IF_ERROR(output.Close());
  return first;
}

}  // namespace

void AddTortureCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add(
      "torture",
      "Prove the promises in a simulated world of crashes, full disks and failing devices (exit "
      "status 1: one was broken)",
      [arguments] { return Torture(*arguments); });
  command.add_option("--campaign", arguments->campaigns,
                     "A crash at every step, B crashes within recoveries, C an error at every "
                     "step, D every short sequence, E long random lives, F schedules, G commits as "
                     "groups; several as ABC, or all (default)");
  command.add_option("--seed", arguments->seed, "What all chance is drawn from (default: 1)");
  command.add_option("--seconds", arguments->seconds, "For all campaigns together (default: 60)");
  command.add_option("--cases", arguments->cases,
                     "Cases of each campaign: the same ones for the same seed");
  command.add_option("--threads", arguments->threads, "Default: one a core");
  command.add_option("--replay", arguments->replay, "Play the case in this file again");
  command.add_option("--failures", arguments->failures,
                     "Directory for the files of failed cases (default: here)");
  command.add_flag("!--no-shrink", arguments->shrink, "Leave a failed case as it is");
}

}  // namespace keel::cli
