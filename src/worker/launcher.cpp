#include "worker/launcher.hpp"

#include "pg/databases.hpp"
#include "pg/fault.hpp"
#include "pg/process.hpp"
#include "pg/settings.hpp"
#include "pg/workers.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>

namespace automation::worker {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds after_end{1};	   // of a worker that was there
constexpr std::chrono::seconds after_absence{60};  // of the extension
constexpr std::chrono::seconds after_shortage{10}; // of background processes
constexpr std::chrono::seconds longest_wait{10};

// Which databases to ask; which of them have the extension only a worker inside can tell.
class Launcher {
public:
	void look();
	std::chrono::milliseconds time_to_wait() const;

private:
	void note_departures();
	void start(const pg::Database &database);

	std::map<pg::Oid, Clock::time_point> not_before_;
	bool told_of_shortage_ = false;
};

bool is_listed(std::string_view name, std::string_view list)
{
	constexpr std::string_view blank = " \"";
	for (;;) {
		const std::size_t comma = std::min(list.find(','), list.size());
		std::string_view item = list.substr(0, comma);
		item.remove_prefix(std::min(item.find_first_not_of(blank), item.size()));
		item = item.substr(0, item.find_last_not_of(blank) + 1);
		if (item == name)
			return true;
		if (comma == list.size())
			return false;
		list.remove_prefix(comma + 1);
	}
}

bool is_wanted(const pg::Database &database)
{
	const std::string_view list = pg::settings::databases ? pg::settings::databases : "";
	return list.empty() || is_listed(database.name, list);
}

void Launcher::look()
{
	note_departures();
	if (pg::launcher_called())
		not_before_.clear(); // somebody has installed the extension
	std::vector<pg::Database> databases;
	const auto error = pg::transaction([&] { databases = pg::connectable_databases(); });
	if (error)
		error->log_warning();
	for (const pg::Database &database : databases) {
		const auto found = not_before_.find(database.oid);
		if (!is_wanted(database))
			pg::send_worker_away(database.oid);
		else if (found == not_before_.end() || found->second <= Clock::now())
			start(database);
	}
	std::erase_if(not_before_, [](const auto &entry) { return entry.second <= Clock::now(); });
}

void Launcher::note_departures()
{
	for (const auto &[database, extension_missing] : pg::departed_workers())
		not_before_[database] = Clock::now() + (extension_missing ? after_absence : after_end);
}

void Launcher::start(const pg::Database &database)
{
	pg::fault_point("a worker is to be started");
	const pg::Start started = pg::start_worker(database.oid);
	if (started == pg::Start::done)
		pg::fault_point("a worker is started");
	if (started == pg::Start::done)
		told_of_shortage_ = false;
	if (started != pg::Start::no_slot)
		return;
	not_before_[database.oid] = Clock::now() + after_shortage;
	if (told_of_shortage_)
		return;
	told_of_shortage_ = true;
	pg::warn("pg_automation cannot start a worker for database \"" + database.name +
			"\": no background process is free",
		"Increase max_worker_processes.");
}

std::chrono::milliseconds Launcher::time_to_wait() const
{
	auto next = Clock::now() + longest_wait;
	for (const auto &[database, instant] : not_before_)
		next = std::min(next, instant);
	const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
	return std::max(left, std::chrono::milliseconds(100));
}

} // namespace

void launcher_main(pg::Datum)
{
	pg::begin_process(0);
	pg::use_own_settings();
	pg::become_launcher();
	pg::fault_point("the launcher begins");
	Launcher launcher;
	pg::Waiting waiting(pg::Waiting::no_descriptor);
	while (!pg::stop_requested()) {
		launcher.look();
		waiting.wait(launcher.time_to_wait());
		pg::serve_requests();
	}
	pg::exit_for_restart();
}

} // namespace automation::worker
