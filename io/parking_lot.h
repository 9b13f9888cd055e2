// Where many threads sleep, each until it is woken; those of a row are woken together, by one call of the system.
//
//   ParkingLot lot;                    // outlives every wait in it
//   ParkingLot::Place place;           // of the thread that will wait
//   lot.Assign(&place, row);           // who is likely to be woken together has the same row
//   places.push_back(&place);          // where others find it
//   lot.Wait(&place);
//
//   ParkingLot::Waking waking(&lot);   // by somebody else, later
//   for (ParkingLot::Place* place : places) waking.Add(place);
//
// A parker (parker.h) has a word of its own to sleep at, so that each takes a call of its own to be woken. Here all of a
// row sleep at its word, which counts the calls, and each looks in its own place whether it was meant. So that who is
// woken alone wakes few others with it, each place has one of 32 marks, which the system compares. (The name is that of
// WebKit's parking lot, where threads sleep in queues beside the words that they wait for.)
//
//   PL1  Who was added to a waking does not sleep on behind its end. Its place says that it is meant before the row is
//        counted up, and it reads the count before it looks there: so it sees that it is meant, or else the system finds
//        another count than it has read, and does not let it sleep, or finds it asleep, and wakes it.
//   PL2  A place is added once at the most, and nothing of it is touched once its thread can go on: it may be gone.

#ifndef KEEL_IO_PARKING_LOT_H_
#define KEEL_IO_PARKING_LOT_H_

#include <absl/time/time.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace keel::io {

// Thread-safe.
class ParkingLot {
 public:
  class Place {
   public:
    Place() = default;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool woken() const { return state_.load(std::memory_order_acquire) == kWoken; }

   private:
    friend class ParkingLot;
    enum State : uint32_t { kEmpty, kSleeping, kWoken };

    std::atomic<uint32_t> state_ = kEmpty;
    uint32_t row_ = 0;
    uint32_t mark_ = 1;
  };

  // Wakes at its end who was added to it.
  class Waking {
   public:
    explicit Waking(ParkingLot* lot) : lot_(lot) {}
    Waking(const Waking&) = delete;
    Waking& operator=(const Waking&) = delete;
    ~Waking();

    void Add(Place* place);

   private:
    ParkingLot* const lot_;
    uint32_t rows_ = 0;   // a bit for each row where somebody may sleep
    uint32_t marks_ = 0;  // theirs
  };

  ParkingLot() = default;
  ParkingLot(const ParkingLot&) = delete;
  ParkingLot& operator=(const ParkingLot&) = delete;

  // Before anybody can wake it. Rows may have any number; some far apart from each other are the same.
  void Assign(Place* place, uint64_t row);
  // What was written before the place was added to a waking is seen after the wait.
  void Wait(Place* place);
  // False: it was not woken for about `timeout` of the operating system's time, or for less: the caller looks at its
  // clock. May be followed by another wait.
  bool WaitFor(Place* place, absl::Duration timeout);
  void Wake(Place* place);

 private:
  static constexpr uint32_t kRows = 16;
  static constexpr uint32_t kMarks = 32;

  struct alignas(64) Row {
    std::atomic<uint32_t> wakings = 0;
  };

  // Sleeps once, unless it was woken; until then, or for no reason.
  void Sleep(const Place& place, const timespec* until);

  std::array<Row, kRows> rows_;
  std::atomic<uint32_t> assigned_ = 0;
};

}  // namespace keel::io

#endif  // KEEL_IO_PARKING_LOT_H_
