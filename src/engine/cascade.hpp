// What one write has set off so far: rules that write set off further rules, and none may do so
// without end.
#pragma once

#include "engine/rule.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace automation::engine {

// One per root event: made by the outermost capture, found by those nested in its actions.
class Cascade {
public:
	class Scope; // a rule runs
	class Root;	 // an event is handled

	static Cascade &current();
	// What has fired under this number or a higher one has not: see pg::follow_rollbacks().
	static void forget(std::uint32_t subtransaction) noexcept;

	// Why the rule must not run for this row, or empty.
	std::string refusal(const Rule &rule, const std::string &key) const;
	// Whether the event gives way to whoever has locked what it needs, to be handled again later.
	bool gives_way_to(const pg::Error &error) const;
	// Somebody sees to it that such events come a few at a time.
	bool is_paced() const { return comes_again_; }
	// A row has gone to another partition, while a rule runs that may have more to do with it.
	void note_move(const pg::Place &from, const pg::Place &to);
	pg::Place moved_to(const pg::Place &from) const; // nowhere: it has not moved
	int depth() const { return depth_ + static_cast<int>(running_.size()); }
	std::int64_t cause() const // the run that the present event comes from; 0: a person's write
	{
		return running_.empty() ? cause_ : running_.back().run;
	}
	// The next event was made earlier: by this run, so deep.
	void go_on(std::int64_t cause, int depth)
	{
		cause_ = cause;
		depth_ = depth;
	}

private:
	struct Running {
		int rule;
		std::int64_t run;
	};
	std::string chain(int rule) const;
	static Cascade *current_;
	bool comes_again_ = false;
	std::int64_t cause_ = 0;
	int depth_ = 0;
	std::vector<Running> running_;
	// Once per rule, row and root event; in which subtransaction.
	std::map<std::pair<int, std::string>, std::uint32_t> fired_;
	std::map<pg::Place, pg::Place> moves_;
};

class Cascade::Root {
public:
	explicit Root(bool comes_again = false);
	~Root();
	Root(const Root &) = delete;
	Root &operator=(const Root &) = delete;

private:
	Cascade *made_ = nullptr;
};

class Cascade::Scope {
public:
	Scope(int rule, const std::string &key, std::int64_t run);
	~Scope();
	Scope(const Scope &) = delete;
	Scope &operator=(const Scope &) = delete;
};

} // namespace automation::engine
