//! Scripts by hand: each pins a sentence of the kernel's documentation, and its last reply stands here too.

use fake_nginx::machine::{Errno, ExitStatus, Signal};
use scenarios::model::kernel::Path;

use crate::script::Op::{
    Accept, Answer, Ask, Block, Close, CloseConnection, CloseListener, Connect, Exec, Exit, Fill, Fork, Free,
    Handle, HangUp, Kill, Link, Listen, Open, Pass, Receive, Rename, Reuse, Send, Shutdown, Sleep, Timer,
    Unblock, Unlink, Unwatch, Wait, WaitEvents, Watch, Write,
};
use crate::script::{A, B, C, Client, D, Op, Socket, Text};
use crate::sight::Reply;

/// A script with its name and its last reply.
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) ops: &'static [Op],
    pub(crate) last: Reply,
}

const ENOENT: Reply = Reply::Failed(Errno::ENOENT);
const ESRCH: Reply = Reply::Failed(Errno::ESRCH);
const ENOEXEC: Reply = Reply::Failed(Errno(8));
const EEXIST: Reply = Reply::Failed(Errno(17));
const ETXTBSY: Reply = Reply::Failed(Errno(26));
const ENOSPC: Reply = Reply::Failed(Errno(28));
const EPIPE: Reply = Reply::Failed(Errno(32));
const EADDRINUSE: Reply = Reply::Failed(Errno::EADDRINUSE);

const S1: Socket = Socket(0);
const S2: Socket = Socket(1);
const C1: Client = Client(0);
const C2: Client = Client(1);
const C3: Client = Client(2);

/// What nginx's listening sockets have.
const BACKLOG: u8 = 200;
const LISTEN: Op = Listen(A, false, BACKLOG);

const fn script(name: &'static str, ops: &'static [Op], last: Reply) -> Script {
    Script { name, ops, last }
}

/// All of them.
pub(crate) const SCRIPTS: &[Script] = &[
    // Births and deaths.
    script(
        "of_two_dead_children_the_older_is_waited_for_first",
        &[Fork(A), Fork(A), Exit(C, 3), Kill(B, Signal::Kill), Wait(A), Wait(A)],
        Reply::Exited(C, ExitStatus::Code(3)),
    ),
    script(
        "who_has_no_children_is_told_so",
        &[Fork(A), Wait(A), Exit(B, 0), Wait(A), Wait(A)],
        Reply::NoChildren,
    ),
    script("a_child_that_lives_is_nobody_to_wait_for", &[Fork(A), Wait(A)], Reply::Nobody),
    script(
        "orphans_are_adopted_and_reaped_by_pid_1",
        &[Fork(A), Fork(B), Fork(B), Exit(C, 1), Kill(B, Signal::Kill), Exit(D, 0), Wait(A)],
        Reply::Exited(B, ExitStatus::Signal { number: 9, core: false }),
    ),
    script(
        "a_zombie_takes_signals_and_nothing_happens",
        &[Fork(A), Exit(B, 0), Kill(B, Signal::Term)],
        Reply::Done,
    ),
    script("who_was_waited_for_takes_none", &[Fork(A), Exit(B, 0), Wait(A), Kill(B, Signal::Term)], ESRCH),
    script(
        "a_number_that_nobody_has_any_more_is_given_to_a_stranger_who_gets_its_signals",
        &[Fork(A), Exit(B, 0), Wait(A), Reuse(B), Fork(A), Kill(B, Signal::Term), Kill(B, Signal::Term)],
        ESRCH,
    ),
    script(
        "death_closes_what_the_process_held",
        &[LISTEN, Fork(A), Exit(A, 0), Connect, Kill(B, Signal::Kill), Connect],
        Reply::Refused,
    ),
    // Binaries.
    script("a_missing_binary_is_not_executed", &[Unlink(Path::BINARY), Exec(A, Path::BINARY)], ENOENT),
    script(
        "what_is_no_binary_is_not_executed",
        &[
            Fork(A),
            Open(B, Path::BESIDE),
            Exec(A, Path::BESIDE),
            Close(B),
            Exec(A, Path::BESIDE),
            Open(B, Path::BESIDE),
            Write(B, Text::Words),
            Close(B),
            Exec(A, Path::BESIDE),
        ],
        ENOEXEC,
    ),
    script(
        "what_is_open_for_writing_is_not_executed",
        &[Fork(A), Open(B, Path::NEW), Write(B, Text::Binary(1)), Exec(A, Path::NEW)],
        ETXTBSY,
    ),
    script(
        "not_even_by_who_writes_it",
        &[Open(A, Path::NEW), Write(A, Text::Binary(1)), Exec(A, Path::NEW)],
        ETXTBSY,
    ),
    script(
        "a_child_keeps_the_file_open_for_writing",
        &[
            Open(A, Path::NEW),
            Write(A, Text::Binary(1)),
            Fork(A),
            Close(A),
            Exec(A, Path::NEW),
            Exit(B, 0),
            Exec(A, Path::NEW),
        ],
        Reply::Done,
    ),
    script("what_is_executed_is_not_opened_for_writing", &[Open(A, Path::BINARY)], ETXTBSY),
    script("nor_by_another_name", &[Link(Path::BINARY, Path::BESIDE), Open(A, Path::BESIDE)], ETXTBSY),
    script(
        "a_binary_is_written_once_nobody_executes_it",
        &[Exec(A, Path::NEW), Open(A, Path::BINARY)],
        Reply::Done,
    ),
    script(
        "a_binary_that_is_renamed_over_goes_on_without_a_name",
        &[Rename(Path::NEW, Path::BINARY), Fork(A), Exec(B, Path::BINARY), Fork(A), Wait(A)],
        Reply::Nobody,
    ),
    script(
        "exec_keeps_sockets_and_drops_the_rest",
        &[LISTEN, Watch(A, S1), Connect, Connect, Accept(A, S1), Exec(A, Path::NEW), WaitEvents(A)],
        Reply::Done,
    ),
    // Signals.
    script(
        "a_signal_without_a_handler_ends_the_process",
        &[Fork(A), Kill(B, Signal::Hup), Wait(A)],
        Reply::Exited(B, ExitStatus::Signal { number: 1, core: false }),
    ),
    script(
        "but_for_chld_and_winch",
        &[Fork(A), Kill(B, Signal::Winch), Kill(B, Signal::Chld), Wait(A)],
        Reply::Nobody,
    ),
    script(
        "a_blocked_signal_waits_once_with_its_first_sender",
        &[Handle(A), Block(A), Fork(A), Kill(A, Signal::Usr2), Send(B, A, Signal::Usr2), Sleep(A), Block(A)],
        Reply::Met(Vec::new()),
    ),
    script(
        "the_handler_of_the_highest_number_runs_first",
        &[Handle(A), Block(A), Kill(A, Signal::Winch), Kill(A, Signal::Hup), Kill(A, Signal::Term), Sleep(A)],
        Reply::Done,
    ),
    script(
        "and_so_when_a_mask_falls",
        &[
            Handle(A),
            Block(A),
            Kill(A, Signal::Winch),
            Kill(A, Signal::Hup),
            Kill(A, Signal::Term),
            Unblock(A),
            Block(A),
            Kill(A, Signal::Hup),
            Sleep(A),
        ],
        Reply::Done,
    ),
    script(
        "sigsuspend_sleeps_until_a_signal_comes",
        &[Handle(A), Block(A), Sleep(A), Kill(A, Signal::Quit), Block(A)],
        Reply::Met(Vec::new()),
    ),
    script(
        "a_child_has_none_of_its_parents_pending_signals",
        &[Handle(A), Block(A), Kill(A, Signal::Usr1), Fork(A), Kill(B, Signal::Hup), Sleep(B), Sleep(A)],
        Reply::Done,
    ),
    script(
        "what_handlers_have_met_is_memory_and_copied",
        &[Handle(A), Kill(A, Signal::Usr1), Fork(A), Block(B), Block(A), Block(A)],
        Reply::Met(Vec::new()),
    ),
    script(
        "exec_keeps_what_is_pending_and_the_mask",
        &[
            Handle(A),
            Block(A),
            Kill(A, Signal::Usr1),
            Kill(A, Signal::Winch),
            Exec(A, Path::NEW),
            Kill(A, Signal::Chld),
            Kill(A, Signal::Hup),
            Handle(A),
            Block(A),
            Sleep(A),
        ],
        Reply::Done,
    ),
    script(
        "exec_drops_handlers",
        &[Handle(A), Exec(A, Path::NEW), Kill(A, Signal::Hup), Kill(A, Signal::Hup)],
        ESRCH,
    ),
    script(
        "a_dead_child_is_a_signal_from_it",
        &[Handle(A), Block(A), Fork(A), Fork(A), Exit(C, 0), Exit(B, 0), Sleep(A)],
        Reply::Done,
    ),
    script(
        "whose_parent_has_ended_tells_nobody",
        &[Handle(A), Block(A), Fork(A), Fork(B), Exit(B, 0), Sleep(A), Exit(C, 0), Block(A)],
        Reply::Met(Vec::new()),
    ),
    script(
        "a_handler_that_runs_before_epoll_wait_does_not_wake_it",
        &[Handle(A), Kill(A, Signal::Usr1), WaitEvents(A), Kill(A, Signal::Usr2)],
        Reply::Done,
    ),
    script(
        "a_blocked_signal_does_not_wake_it",
        &[Handle(A), Block(A), WaitEvents(A), Kill(A, Signal::Usr2)],
        Reply::Done,
    ),
    script("nor_does_one_that_is_ignored", &[WaitEvents(A), Kill(A, Signal::Winch)], Reply::Done),
    script(
        "kill_strikes_whatever_is_blocked",
        &[Fork(A), Handle(B), Block(B), Sleep(B), Kill(B, Signal::Kill), Wait(A)],
        Reply::Exited(B, ExitStatus::Signal { number: 9, core: false }),
    ),
    // Timers.
    script(
        "a_timer_is_a_signal_of_the_kernel",
        &[Handle(A), Block(A), Timer(A, 1), Pass, Sleep(A)],
        Reply::Done,
    ),
    script(
        "a_child_has_no_timer_and_exec_keeps_it",
        &[
            Handle(A),
            Block(A),
            Timer(A, 400),
            Fork(A),
            Exec(A, Path::NEW),
            Pass,
            Handle(A),
            Sleep(A),
            Block(B),
        ],
        Reply::Met(Vec::new()),
    ),
    script(
        "a_second_timer_replaces_the_first",
        &[Handle(A), Block(A), Timer(A, 60_000), Timer(A, 300), Pass, Sleep(A)],
        Reply::Done,
    ),
    // Files.
    script(
        "a_pid_file_is_empty_before_it_holds_a_number",
        &[
            Open(A, Path::PID),
            Write(A, Text::OwnPid),
            Close(A),
            Fork(A),
            Open(B, Path::PID),
            Write(B, Text::OwnPid),
        ],
        Reply::Done,
    ),
    script(
        "what_is_written_goes_into_the_file_that_was_opened",
        &[Open(A, Path::PID), Rename(Path::PID, Path::OLDBIN), Write(A, Text::OwnPid)],
        Reply::Done,
    ),
    script(
        "even_if_it_has_no_name_any_more",
        &[Open(A, Path::PID), Unlink(Path::PID), Write(A, Text::OwnPid), Close(A), Unlink(Path::PID)],
        ENOENT,
    ),
    script(
        "a_rename_replaces_what_was_there",
        &[
            Open(A, Path::PID),
            Write(A, Text::OwnPid),
            Close(A),
            Open(A, Path::OLDBIN),
            Close(A),
            Rename(Path::PID, Path::OLDBIN),
            Rename(Path::PID, Path::OLDBIN),
        ],
        ENOENT,
    ),
    script(
        "a_rename_of_two_names_of_one_file_does_nothing",
        &[Link(Path::NEW, Path::BESIDE), Rename(Path::BESIDE, Path::NEW), Unlink(Path::BESIDE)],
        Reply::Done,
    ),
    script("a_link_replaces_nothing", &[Link(Path::NEW, Path::BINARY)], EEXIST),
    script("a_link_needs_a_file", &[Link(Path::PID, Path::BESIDE)], ENOENT),
    script(
        "on_a_full_disk_a_file_is_created_and_stays_empty",
        &[Fill(0), Open(A, Path::PID), Write(A, Text::OwnPid)],
        ENOSPC,
    ),
    script(
        "what_a_file_held_is_room_for_what_it_will_hold",
        &[
            Open(A, Path::PID),
            Write(A, Text::OwnPid),
            Close(A),
            Fill(0),
            Open(A, Path::PID),
            Write(A, Text::OwnPid),
        ],
        Reply::Done,
    ),
    script(
        "unless_somebody_else_takes_it",
        &[
            Fork(A),
            Open(A, Path::PID),
            Write(A, Text::OwnPid),
            Close(A),
            Fill(0),
            Open(A, Path::PID),
            Open(B, Path::OLDBIN),
            Write(B, Text::OwnPid),
            Write(A, Text::OwnPid),
        ],
        ENOSPC,
    ),
    script(
        "a_binary_is_copied_onto_a_full_disk_over_another_one_only",
        &[
            Fill(0),
            Open(A, Path::BESIDE),
            Write(A, Text::Binary(1)),
            Close(A),
            Exec(A, Path::BESIDE),
            Open(A, Path::NEW),
            Write(A, Text::Binary(1)),
            Close(A),
            Exec(A, Path::NEW),
        ],
        Reply::Done,
    ),
    script(
        "renames_and_links_need_no_room",
        &[Fill(0), Link(Path::NEW, Path::BESIDE), Rename(Path::BESIDE, Path::BINARY)],
        Reply::Done,
    ),
    script(
        "a_binary_without_a_name_takes_room_until_it_ends",
        &[
            Fork(A),
            Exec(B, Path::NEW),
            Fill(0),
            Unlink(Path::NEW),
            Open(A, Path::PID),
            Write(A, Text::OwnPid),
            Kill(B, Signal::Kill),
            Write(A, Text::OwnPid),
            Free,
        ],
        Reply::Done,
    ),
    // Listening sockets.
    script("an_address_is_taken_once", &[LISTEN, Fork(A), Listen(B, false, BACKLOG)], EADDRINUSE),
    script(
        "and_shared_by_those_who_both_say_so",
        &[Listen(A, true, BACKLOG), Listen(A, true, BACKLOG), Listen(A, false, BACKLOG)],
        EADDRINUSE,
    ),
    script("who_came_alone_shares_nothing", &[LISTEN, Listen(A, true, BACKLOG)], EADDRINUSE),
    script(
        "an_address_is_taken_until_the_last_close",
        &[LISTEN, Fork(A), CloseListener(A, S1), LISTEN],
        EADDRINUSE,
    ),
    script(
        "and_free_after_it",
        &[LISTEN, Fork(A), CloseListener(A, S1), CloseListener(B, S1), LISTEN],
        Reply::Done,
    ),
    script(
        "connections_that_go_on_do_not_keep_the_address",
        &[LISTEN, Connect, Accept(A, S1), CloseListener(A, S1), LISTEN],
        Reply::Done,
    ),
    script("nobody_listens_and_a_client_is_refused", &[Connect], Reply::Refused),
    script(
        "the_close_of_one_of_two_holders_changes_nothing",
        &[LISTEN, Fork(A), Connect, CloseListener(A, S1), Connect, Accept(B, S1)],
        Reply::Accepted(Some(C1)),
    ),
    script(
        "the_last_close_resets_whoever_waits",
        &[LISTEN, Connect, Connect, CloseListener(A, S1), Connect],
        Reply::Refused,
    ),
    script(
        "the_last_close_of_one_of_a_group_resets_its_own_queue_only",
        &[
            Listen(A, true, BACKLOG),
            Listen(A, true, BACKLOG),
            Connect,
            Connect,
            Connect,
            Connect,
            CloseListener(A, S1),
            Connect,
        ],
        Reply::Queued(S2),
    ),
    script(
        "a_full_queue_lets_clients_wait",
        &[Listen(A, false, 1), Connect, Connect, Connect, Accept(A, S1), Connect],
        Reply::Queued(S1),
    ),
    script(
        "connections_are_accepted_in_their_order",
        &[LISTEN, Connect, Connect, Accept(A, S1), Accept(A, S1), Accept(A, S1)],
        Reply::Accepted(None),
    ),
    script(
        "two_are_told_of_one_connection_and_the_slower_finds_nobody",
        &[
            LISTEN,
            Fork(A),
            Watch(A, S1),
            Watch(B, S1),
            Connect,
            WaitEvents(A),
            WaitEvents(B),
            Accept(B, S1),
            Accept(A, S1),
        ],
        Reply::Accepted(None),
    ),
    script(
        "a_connection_wakes_both_who_wait",
        &[LISTEN, Fork(A), Watch(A, S1), Watch(B, S1), WaitEvents(A), WaitEvents(B), Connect],
        Reply::Queued(S1),
    ),
    script(
        "a_listening_socket_is_told_as_long_as_it_is_ready",
        &[LISTEN, Watch(A, S1), Connect, WaitEvents(A), WaitEvents(A), Unwatch(A, S1), WaitEvents(A)],
        Reply::Done,
    ),
    script(
        "a_queue_is_told_to_who_begins_to_watch",
        &[LISTEN, Connect, Watch(A, S1), WaitEvents(A)],
        Reply::Done,
    ),
    // Connections.
    script(
        "a_connection_is_told_once_per_change",
        &[LISTEN, Connect, Accept(A, S1), WaitEvents(A), Receive(A, C1), WaitEvents(A), Ask(C1)],
        Reply::Done,
    ),
    script(
        "what_is_not_read_is_told_again_with_the_next_change",
        &[LISTEN, Connect, Accept(A, S1), WaitEvents(A), WaitEvents(A), Ask(C1)],
        Reply::Done,
    ),
    script(
        "a_client_that_leaves_is_told",
        &[
            LISTEN,
            Connect,
            Accept(A, S1),
            WaitEvents(A),
            Receive(A, C1),
            WaitEvents(A),
            HangUp(C1),
            Receive(A, C1),
        ],
        Reply::End,
    ),
    script(
        "a_client_that_left_in_the_queue_is_accepted",
        &[LISTEN, Connect, HangUp(C1), Accept(A, S1), WaitEvents(A), Receive(A, C1), Receive(A, C1)],
        Reply::End,
    ),
    script(
        "nothing_is_there_before_something_came",
        &[LISTEN, Connect, Accept(A, S1), Receive(A, C1), Receive(A, C1)],
        Reply::Nothing,
    ),
    script(
        "an_answer_to_a_client_that_left_goes_out_and_the_next_fails",
        &[LISTEN, Connect, Accept(A, S1), Receive(A, C1), HangUp(C1), Answer(A, C1), Answer(A, C1)],
        EPIPE,
    ),
    script(
        "the_reset_of_a_client_that_left_is_told",
        &[
            LISTEN,
            Connect,
            Accept(A, S1),
            Receive(A, C1),
            HangUp(C1),
            WaitEvents(A),
            Answer(A, C1),
            WaitEvents(A),
            Receive(A, C1),
        ],
        Reply::End,
    ),
    script(
        "a_close_finishes",
        &[LISTEN, Connect, Accept(A, S1), Receive(A, C1), Answer(A, C1), CloseConnection(A, C1)],
        Reply::Done,
    ),
    script(
        "a_close_with_something_unread_resets",
        &[LISTEN, Connect, Accept(A, S1), CloseConnection(A, C1)],
        Reply::Done,
    ),
    script(
        "a_death_finishes_and_resets_likewise",
        &[
            LISTEN,
            Fork(A),
            Connect,
            Connect,
            Accept(B, S1),
            Accept(B, S1),
            Receive(B, C1),
            Kill(B, Signal::Kill),
            Connect,
            Wait(A),
        ],
        Reply::Exited(B, ExitStatus::Signal { number: 9, core: false }),
    ),
    script(
        "a_shutdown_finishes_and_leaves_the_other_way_open",
        &[
            LISTEN,
            Connect,
            Accept(A, S1),
            Receive(A, C1),
            WaitEvents(A),
            Shutdown(A, C1),
            WaitEvents(A),
            Ask(C1),
            Receive(A, C1),
        ],
        Reply::Bytes,
    ),
    script(
        "accepted_connections_outlive_the_listener",
        &[
            LISTEN,
            Connect,
            Connect,
            Accept(A, S1),
            CloseListener(A, S1),
            Ask(C1),
            Receive(A, C1),
            HangUp(C1),
            Receive(A, C1),
        ],
        Reply::End,
    ),
    script(
        "a_third_client_waits_behind_two_who_left",
        &[
            LISTEN,
            Connect,
            Connect,
            HangUp(C1),
            HangUp(C2),
            Connect,
            Accept(A, S1),
            Accept(A, S1),
            Accept(A, S1),
            Receive(A, C3),
        ],
        Reply::Bytes,
    ),
];
