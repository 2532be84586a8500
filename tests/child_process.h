// A program of the tests in a process of its own, which may be killed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace glia::test {

class ChildProcess {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  /// What it prints goes where this process's does.
  ChildProcess(std::vector<std::string> command, const Variables& variables = {}) {
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("cannot start " + command.at(0));
    if (process_ > 0) return;
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    if (process_ > 0) ::kill(process_, SIGKILL), wait();
  }

  /// Its exit code, or the signal that ended it, below 0.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(process_, 0), &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  void signal(int number) const { ::kill(process_, number); }
  pid_t id() const { return process_; }

 private:
  pid_t process_ = 0;
};

}  // namespace glia::test
