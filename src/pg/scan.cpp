#include "pg/postgres.hpp"

#include "pg/condition.hpp"

namespace automation::pg {

namespace {

// Offsets at which tokens begin, in memory that the caller frees; the count comes back.
int scan(const char *sql, int *begins, int capacity)
{
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE location = 0;
	core_yyscan_t scanner = scanner_init(sql, &extra, &ScanKeywords, ScanKeywordTokens);
	int count = 0;
	while (core_yylex(&value, &location, scanner) != 0 && count < capacity)
		begins[count++] = location;
	scanner_finish(scanner);
	return count;
}

} // namespace

std::vector<Token> tokens_of(const std::string &sql)
{
	std::vector<int> begins(sql.size() + 1);
	const char *source = sql.c_str();
	int *where = begins.data();
	const int count = guard([&] { return scan(source, where, static_cast<int>(sql.size())); });
	std::vector<Token> tokens;
	for (int i = 0; i < count; ++i) {
		const int limit =
			i + 1 < count ? begins[static_cast<std::size_t>(i) + 1] : static_cast<int>(sql.size());
		std::string text = sql.substr(
			static_cast<std::size_t>(where[i]), static_cast<std::size_t>(limit - where[i]));
		text.erase(text.find_last_not_of(" \t\r\n") + 1);
		tokens.push_back({text, where[i], where[i] + static_cast<int>(text.size())});
	}
	return tokens;
}

} // namespace automation::pg
