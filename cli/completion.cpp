// glia completion: what a shell completes, made of the commands as they are.
// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <string>

#include "commands.h"

namespace cli {
namespace {

std::string options_of(const CLI::App& command) {
  std::string all;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) all += (all.empty() ? "--" : " --") + name;
  return all;
}

void print_bash(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : app.get_subcommands({})) {
    commands += command->get_name() + ' ';
    cases += "    " + command->get_name() + ") words=\"" + options_of(*command) + "\" ;;\n";
  }
  std::cout << "_glia() {\n  local word=${COMP_WORDS[COMP_CWORD]} words\n"
               "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" +
                   commands +
                   "--help --version\" -- \"$word\"))\n    return\n  fi\n"
                   "  case ${COMP_WORDS[1]} in\n" +
                   cases +
                   "  esac\n"
                   "  case $word in\n    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n    *) "
                   "COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  esac\n}\n"
                   "complete -o filenames -F _glia glia\n";
}

void print_fish(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands({})) {
    std::cout << "complete -c glia -n __fish_use_subcommand -a " << command->get_name() << " -d \""
              << command->get_description() << "\"\n";
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames())
        std::cout << "complete -c glia -n \"__fish_seen_subcommand_from " << command->get_name() << "\" -l "
                  << name << '\n';
  }
}

}  // namespace

void add_completion(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "completion", "Prints what a shell is to source so that it completes commands and options.");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer("Example: source <(glia completion bash)");
  command->callback([&app, shell] {
    if (*shell == "zsh") std::cout << "autoload -U +X bashcompinit && bashcompinit\n";
    if (*shell == "fish")
      print_fish(app);
    else
      print_bash(app);
  });
}

}  // namespace cli
