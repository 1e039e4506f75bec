#include "engine/rulebook.hpp"

#include "pg/definitions.hpp"
#include "pg/identity.hpp"

#include <algorithm>
#include <utility>

namespace automation::engine {

using Lock = pg::RowType::Lock;

// All chapters read since the last change of a definition.
struct Rulebook::Book {
	std::uint64_t generation = pg::definitions_generation();
	int readers = 0;
	std::map<int, std::unique_ptr<Chapter>> chapters;
	std::vector<std::unique_ptr<Chapter>> replaced; // somebody may hold it still

	// A write of one table waits for no lock on another one.
	bool is_outdated() const
	{
		return generation != pg::definitions_generation() ||
			std::ranges::any_of(chapters,
				[](const auto &entry) { return entry.second->has_changed_shape(Lock::pass); });
	}
};

Rulebook::Book *Rulebook::current = nullptr;

Rulebook::Rulebook()
{
	if (!current || current->is_outdated()) {
		// Whatever fails here, no session is left with a book that is gone.
		const Book *old = std::exchange(current, nullptr);
		if (old && old->readers == 0)
			delete old;
		current = new Book;
	}
	book_ = current;
	++book_->readers;
}

Rulebook::~Rulebook()
{
	if (--book_->readers == 0 && book_ != current)
		delete book_;
}

Chapter &Rulebook::chapter(int entity) const
{
	const auto known = book_->chapters.find(entity);
	if (known != book_->chapters.end() && !known->second->has_changed_shape(Lock::wait))
		return *known->second;
	// One that cannot be read has no place in the book.
	const pg::ActAs identity = pg::ActAs::engine();
	auto chapter = std::make_unique<Chapter>(entity);
	if (known != book_->chapters.end())
		book_->replaced.push_back(std::exchange(known->second, std::move(chapter)));
	else
		book_->chapters.emplace(entity, std::move(chapter));
	return *book_->chapters.at(entity);
}

Rule *Rulebook::rule(int id, Chapter **chapter) const
{
	static pg::Statement entity_of("SELECT e.id FROM automation.rule r JOIN automation.entity e ON "
								   "e.relation = r.event_relation "
								   "WHERE r.id = $1");
	int entity = 0;
	{
		pg::Spi spi;
		const pg::Rows found = entity_of.execute_fresh({pg::Value::int4(id)});
		if (found.size() == 0)
			return nullptr;
		entity = static_cast<int>(found.integer(0, 1));
	}
	*chapter = &this->chapter(entity);
	Rule *rule = (*chapter)->present(id);
	return rule && rule->is_active ? rule : nullptr;
}

} // namespace automation::engine
