// Keel: the umbrella header.

#ifndef KEEL_KEEL_H_
#define KEEL_KEEL_H_

#include <keel/bulk_loader.h>
#include <keel/check_report.h>
#include <keel/cursor.h>
#include <keel/database.h>
#include <keel/health.h>
#include <keel/key_range.h>
#include <keel/keyspace.h>
#include <keel/lsn.h>
#include <keel/options.h>
#include <keel/pinned_value.h>
#include <keel/reader.h>
#include <keel/recovery_report.h>
#include <keel/snapshot.h>
#include <keel/stats.h>
#include <keel/transaction.h>
#include <keel/write_batch.h>

#endif  // KEEL_KEEL_H_
