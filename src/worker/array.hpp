// An array as a parameter of a statement: the text of an array literal, to be cast in the SQL.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace automation::worker {

class Array {
public:
	void add(std::int64_t number) { add_bare(std::to_string(number)); }
	void add(std::string_view text)
	{
		std::string quoted = "\"";
		for (const char c : text) {
			if (c == '"' || c == '\\')
				quoted += '\\';
			quoted += c;
		}
		add_bare(quoted += '"');
	}
	template <typename Element> void add(const std::optional<Element> &element)
	{
		if (element)
			add(*element);
		else
			add_bare("NULL");
	}

	bool is_empty() const { return text_.size() == 1; }
	// Lives as long as the array; nothing may be added any more.
	pg::Value value()
	{
		if (!text_.ends_with('}'))
			text_ += '}';
		return pg::Value::text(std::string_view(text_));
	}

private:
	void add_bare(std::string_view element)
	{
		if (text_.size() > 1)
			text_ += ',';
		text_ += element;
	}
	std::string text_ = "{";
};

} // namespace automation::worker
