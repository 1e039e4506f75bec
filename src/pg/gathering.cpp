#include "pg/postgres.hpp"

#include "pg/entry.hpp"
#include "pg/gathered.hpp"
#include "pg/gathering.hpp"
#include "pg/rollback.hpp"
#include "pg/statements.hpp"

namespace automation::pg {

// Of statements within statements; its store is made when it first gathers, and never destroyed.
struct detail::Level {
	std::uint32_t subtransaction;
	bool alone; // no row is expected after the one that is being captured
	bool captures;
	Gathered *store;
};

namespace {

using detail::Level;

// What goes deeper ends with the last of these.
constexpr int most_levels = 64;
Level levels[most_levels];
int depth = 0;
bool gathers = false;

Level *present()
{
	return depth == 0 ? nullptr : &levels[depth - 1];
}

int begin_statement(bool alone)
{
	const int before = depth;
	if (depth < most_levels)
		levels[depth++] = {GetCurrentSubTransactionId(), alone, false, levels[before].store};
	return before;
}

void insert_rest(::Datum)
{
	insert_gathered();
}

// An error leaves it to forget().
void end_statement(int before)
{
	Gathered *store = depth > before ? present()->store : nullptr;
	if (store && !store->is_empty())
		enter_worker<insert_rest>(0);
	if (store)
		store->clear();
	depth = before;
}

} // namespace

Capturing::Capturing() : level_(present()), before_(level_ && std::exchange(level_->captures, true))
{
}

// A cascade or a WITH clause may bring more rows than the statement says that it has touched.
Capturing::~Capturing()
{
	if (!level_)
		return;
	level_->captures = before_;
	level_->alone = false;
}

Gathering::Gathering() : before_(gathers)
{
	Level *level = present();
	gathers = level && level->captures && !level->alone;
	if (gathers && level->store)
		level->store->begin_group();
}

Gathering::~Gathering()
{
	gathers = before_;
}

bool gather(const Target &target, std::span<const Value> values, std::size_t columns)
{
	if (!gathers)
		return false;
	Level &level = *present();
	if (!level.store)
		level.store = new Gathered;
	return level.store->add(target, values, columns);
}

void insert_gathered(std::size_t more_than)
{
	const Level *level = present();
	if (level && level->store && level->subtransaction == subtransaction_number() &&
		level->store->is_too_much(more_than))
		level->store->conclude();
}

void insert_all_gathered()
{
	for (int i = 0; i < depth; ++i)
		if (levels[i].store)
			levels[i].store->insert_ahead();
}

namespace {

void forget(std::uint32_t subtransaction) noexcept
{
	for (; depth > 0 && present()->subtransaction >= subtransaction; --depth)
		if (Gathered *store = present()->store)
			store->clear();
	for (int i = 0; i < depth; ++i)
		if (levels[i].store)
			levels[i].store->forget(subtransaction);
}

} // namespace

void gather_by_statements()
{
	follow_statements({begin_statement, end_statement});
	follow_ends(forget);
}

} // namespace automation::pg
