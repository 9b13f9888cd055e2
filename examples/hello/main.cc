// A first program with Keel: opens a database, writes, reads, and scans.
//
//   hello DIRECTORY

#include <keel/keel.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace {

absl::Status Run(const std::filesystem::path& directory) {
  absl::StatusOr<std::unique_ptr<keel::Database>> opened = keel::Database::Open(directory);
  if (!opened.ok()) return opened.status();
  keel::Database& database = **opened;

  // On the disk when Put returns.
  if (absl::Status status = database.Put("greeting", "hello"); !status.ok()) return status;

  // All of these or none; run again if another transaction came in between.
  const absl::Status written = database.Transact([](keel::Transaction& transaction) {
    for (const auto& [planet, moons] :
         {std::pair{"planet/mars", "2"}, std::pair{"planet/earth", "1"},
          std::pair{"planet/venus", "0"}}) {
      if (absl::Status status = transaction.Put(planet, moons); !status.ok()) return status;
    }
    return absl::OkStatus();
  });
  if (!written.ok()) return written;

  const absl::StatusOr<keel::PinnedValue> greeting = database.Get("greeting");
  if (!greeting.ok()) return greeting.status();
  std::cout << greeting->view() << '\n';

  keel::Cursor cursor = database.NewCursor(keel::KeyRange::Prefix("planet/"));
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    std::cout << cursor.key() << " has " << cursor.value() << '\n';
  }
  // A cursor that met trouble is not valid either; its status tells the two ends apart.
  if (!cursor.status().ok()) return cursor.status();

  return database.Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: hello DIRECTORY\n";
    return 2;
  }
  if (const absl::Status status = Run(argv[1]); !status.ok()) {
    std::cerr << "hello: " << status << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
