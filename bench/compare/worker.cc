#include "bench/compare/worker.h"

#include "base/check.h"
#include "base/status.h"
#include "bench/compare/clock.h"

namespace keel::compare {
namespace {

constexpr uint64_t kLookCloselyOneIn = 64;

}  // namespace

Worker::Worker(Work* work, std::unique_ptr<Session> session, uint64_t seed)
    : work_(work), session_(std::move(session)), random_(seed), place_(random_.Next()) {
  for (size_t call = 0; call < kCalls; ++call) {
    if (work->mix.percent[call] == 100) only_call_ = static_cast<Call>(call);
  }
}

void Worker::Run() {
  // Once at least, however late the machine lets the thread begin.
  do {
    if (--until_timed_ == 0) {
      until_timed_ = work_->mix.timed_one_in;
      RunTimed();
    } else if (const absl::Status status = Make(NextCall()); !status.ok()) {
      Fail(status);
    }
  } while (!work_->stop.load(std::memory_order_relaxed));
  if (work_->timeline != nullptr) EndSecond(second_ + 1);
  if (wrong_) Fail(absl::DataLossError("a value was read that is not what was written"));
  volatile uint64_t used = folded_;
  (void)used;
}

void Worker::RunTimed() {
  const Call call = NextCall();
  const uint64_t begin = NowNs();
  const absl::Status status = Make(call);
  const uint64_t end = NowNs();
  if (!status.ok()) return Fail(status);
  latencies_.Add(end - begin);
  if (work_->timeline == nullptr) return;
  const size_t second = (end - work_->begin_ns.load(std::memory_order_relaxed)) / 1'000'000'000;
  if (second != second_) EndSecond(second);
  second_latencies_.Add(end - begin);
}

void Worker::EndSecond(size_t next_second) {
  work_->timeline->Add(second_, operations_ - operations_before_second_, second_latencies_);
  second_ = next_second;
  operations_before_second_ = operations_;
  second_latencies_.Clear();
}

void Worker::Fail(const absl::Status& status) {
  status_.Update(status);
  work_->stop.store(true, std::memory_order_relaxed);
}

Call Worker::DrawCall() {
  uint64_t point = random_.Below(100);
  for (size_t call = 0; call < kCalls; ++call) {
    const unsigned percent = work_->mix.percent[call];
    if (point < percent) return static_cast<Call>(call);
    point -= percent;
  }
  KEEL_CHECK(!"the shares of a mix add up to 100");
  return Call::kRead;
}

absl::Status Worker::Make(Call call) {
  switch (call) {
    case Call::kRead:
      ++operations_;
      return Read();
    case Call::kUpdate:
      ++operations_;
      return Update();
    case Call::kInsert:
      ++operations_;
      return Insert();
    case Call::kScan:
      ++operations_;
      return Scan();
    case Call::kReadModifyWrite:
      ++operations_;
      return ReadModifyWrite();
    case Call::kSnapshotReads:
    case Call::kMultiGet:
      operations_ += work_->mix.keys;
      return ReadMany(call);
    case Call::kTickets:
      operations_ += work_->mix.keys;
      return Tickets();
  }
  return absl::InternalError("no such call");
}

void Worker::Look(uint64_t slot, std::string_view value) {
  folded_ += Fold(value);
  if (reads_++ % kLookCloselyOneIn == 0) return LookClosely(slot, value);
  wrong_ |= value.size() != work_->rows.value_bytes();
}

void Worker::LookClosely(uint64_t slot, std::string_view value) {
  wrong_ |= !work_->rows.Check(slot, value);
}

absl::Status Worker::Read() {
  const uint64_t slot = NextSlot();
  return session_->Get(Key(slot), [&](std::string_view value) { Look(slot, value); });
}

absl::Status Worker::Update() {
  const uint64_t slot = NextSlot();
  work_->rows.Fill(slot, random_.Next(), &value_);
  ++rows_written_;
  return session_->Put(Key(slot), value_);
}

absl::Status Worker::Insert() {
  const uint64_t number = work_->keys.NextInsert();
  const uint64_t slot = work_->keys.InsertedSlot(number);
  work_->rows.Fill(slot, number, &value_);
  ++rows_written_;
  KEEL_RETURN_IF_ERROR(session_->Put(Key(slot), value_));
  work_->keys.Acknowledge(number);
  return absl::OkStatus();
}

absl::Status Worker::Scan() {
  const Mix& mix = work_->mix;
  const uint64_t limit = mix.scan_min + random_.Below(mix.scan_max - mix.scan_min + 1);
  const Key begin(NextSlot());
  uint64_t seen = 0;
  bool first_is_begin = false;
  const absl::Status status =
      session_->Scan(begin, limit, [&](std::string_view key, std::string_view value) {
        if (seen++ == 0) first_is_begin = key == begin.view();
        folded_ += Fold(value) + Fold(key);
        wrong_ |= value.size() != work_->rows.value_bytes();
      });
  wrong_ |= !first_is_begin || seen > limit;
  return status;
}

absl::Status Worker::ReadModifyWrite() {
  const uint64_t slot = NextSlot();
  ++rows_written_;
  return session_->ReadModifyWrite(Key(slot), [&](std::string_view value, std::string* changed) {
    Look(slot, value);
    work_->rows.Fill(slot, Rows::VersionOf(value) + 1, changed);
  });
}

absl::Status Worker::ReadMany(Call call) {
  slots_.clear();
  keys_.clear();
  key_views_.clear();
  for (uint64_t n = 0; n < work_->mix.keys; ++n) {
    slots_.push_back(NextSlot());
    keys_.emplace_back(slots_.back());
  }
  for (const Key& key : keys_) key_views_.push_back(key.view());
  const auto look = [&](size_t n, std::string_view value) { Look(slots_[n], value); };
  return call == Call::kMultiGet ? session_->MultiGet(key_views_, look)
                                 : session_->GetInSnapshot(key_views_, look);
}

absl::Status Worker::Tickets() {
  for (uint64_t n = 0; n < work_->mix.keys; ++n) KEEL_RETURN_IF_ERROR(Update());
  return work_->store.Sync();
}

}  // namespace keel::compare
