// What the program says to people: everything on standard error begins with "keel: ".

#ifndef KEEL_CLI_MESSAGE_H_
#define KEEL_CLI_MESSAGE_H_

#include <absl/status/status.h>

#include <string_view>

#include "cli/exit_status.h"

namespace keel::cli {

// Writes "keel: <text>" and a line feed in one piece. A progress bar is finished before.
void Say(std::string_view text);
// The same without "keel: ", for machines that read along.
void SayPlain(std::string_view text);

// An error that only means that the answer is no, as when a key is not there.
absl::Status AnswerNo(std::string_view text);

// Says what went wrong, if anything did, and returns how to end: kNo for AnswerNo; kWrongUse for
// InvalidArgument and NotFound, which name something the caller got wrong; kFailure for all else. A
// reader of the output that went away (IsOutputClosed) is a failure that is not spoken of.
ExitStatus Finish(const absl::Status& status);

// Says it, and where help is to be found. `command` may be empty.
ExitStatus WrongUse(std::string_view text, std::string_view command);

}  // namespace keel::cli

#endif  // KEEL_CLI_MESSAGE_H_
