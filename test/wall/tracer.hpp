// An object that counts itself: one whose destructor a longjmp has skipped stays counted, and
// leaks.
#pragma once

#include <string>

namespace automation::wall {

class Tracer {
public:
	Tracer() { ++live; }
	~Tracer() { --live; }
	Tracer(const Tracer &) = delete;
	Tracer &operator=(const Tracer &) = delete;

	inline static int live = 0;

private:
	std::string heap_ = std::string(4096, 'x');
};

} // namespace automation::wall
