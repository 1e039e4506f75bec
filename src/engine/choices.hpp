// Which way a run has gone: what its steps branch, split and wait_until have decided. Conditions of
// later steps ask with automation.took().
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace automation::engine {

// While steps of a run are taken. Rules that its steps set off have their own.
class Choices {
public:
	// logged_run: its earlier choices are in the log; 0: it is not there yet.
	explicit Choices(std::int64_t logged_run = 0)
		: logged_run_(logged_run), outer_(std::exchange(current_, this))
	{
	}
	~Choices() { current_ = outer_; }
	Choices(const Choices &) = delete;
	Choices &operator=(const Choices &) = delete;

	void note(std::string decision, std::string arm)
	{
		made_.emplace_back(std::move(decision), std::move(arm));
	}
	// Whether the run in hand has come to this decision, and gone that way.
	static bool took(const std::string &decision, const std::string &arm);

private:
	std::string arm_of(const std::string &decision) const; // empty: not decided

	static inline const Choices *current_ = nullptr;
	std::int64_t logged_run_;
	const Choices *outer_;
	std::vector<std::pair<std::string, std::string>> made_ = {};
};

} // namespace automation::engine
