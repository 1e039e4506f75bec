#include "engine/cascade.hpp"

#include "pg/process.hpp"
#include "pg/rollback.hpp"
#include "pg/settings.hpp"

namespace automation::engine {

Cascade *Cascade::current_ = nullptr;

Cascade &Cascade::current()
{
	return *current_;
}

void Cascade::forget(std::uint32_t subtransaction) noexcept
{
	if (current_)
		std::erase_if(
			current_->fired_, [&](const auto &firing) { return firing.second >= subtransaction; });
}

std::string Cascade::refusal(const Rule &rule, const std::string &key) const
{
	if (fired_.contains({rule.id, key}))
		return "loop: " + chain(rule.id);
	if (depth() >= pg::settings::max_depth)
		return "loop: deeper than pg_automation.max_depth: " + chain(rule.id);
	return {};
}

bool Cascade::gives_way_to(const pg::Error &error) const
{
	return comes_again_ &&
		(error.sqlstate() == pg::lock_not_available || error.sqlstate() == pg::deadlock_detected ||
			error.sqlstate() == pg::serialization_failure);
}

void Cascade::note_move(const pg::Place &from, const pg::Place &to)
{
	if (depth() > 0)
		moves_[from] = to;
}

pg::Place Cascade::moved_to(const pg::Place &from) const
{
	const auto move = moves_.find(from);
	return move == moves_.end() ? pg::Place() : move->second;
}

// The numbers of the rules that set each other off; the log puts their names.
std::string Cascade::chain(int rule) const
{
	std::string text;
	for (const Running &running : running_)
		text += "#" + std::to_string(running.rule) + " > ";
	return text + "#" + std::to_string(rule);
}

Cascade::Root::Root(bool comes_again)
{
	if (current_)
		return;
	made_ = new Cascade;
	current_ = made_;
	made_->comes_again_ = comes_again;
}

Cascade::Root::~Root()
{
	if (!made_)
		return;
	current_ = nullptr;
	delete made_;
}

Cascade::Scope::Scope(int rule, const std::string &key, std::int64_t run)
{
	current_->fired_[{rule, key}] = pg::subtransaction_number();
	current_->running_.push_back({rule, run});
}

Cascade::Scope::~Scope()
{
	current_->running_.pop_back();
}

} // namespace automation::engine
