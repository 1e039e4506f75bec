// What the worker of a database has done since it began, counted in shared memory: to count takes
// no lock, to read touches no table.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// Attempts of a channel by outcome, and how long they took together.
enum class ChannelFigure { delivered, retry, unknown, dead, expired, milliseconds };
inline constexpr int channel_figures = 6;

enum class WorkerFigure { turns, failures, steps };
inline constexpr int worker_figures = 3;

// The worker's side.
void begin_figures(); // in a transaction
void count(Oid server, ChannelFigure figure, std::uint64_t many = 1);
void count(WorkerFigure figure, std::uint64_t many = 1);
void report_in_flight(std::uint64_t requests); // in the title of the process, too
void report_alive();						   // once in each turn of its loop

// automation._channel_figures(): a row for each channel that anything went through.
Datum channel_figures_of_worker(FunctionCallInfoBaseData *call);
// automation._worker_figures(): a row, if a worker runs in this database.
Datum worker_figures_of_worker(FunctionCallInfoBaseData *call);

} // namespace automation::pg
