//! The cases: steps on an nginx, and what is seen behind them.

mod command_line;
mod drain;
mod reload;
mod signals;
mod sockets;
mod start;
mod upgrade;

use crate::stage::Stage;

/// A check that runs on the fake and on real releases alike.
pub(crate) struct Case {
    /// The name of its function.
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Stage),
    /// Where what it says does not hold (`fake`, or a release), and why. The run confirms it.
    pub(crate) differs: &'static [(&'static str, &'static str)],
    /// Whether nginx has to load its stream module.
    pub(crate) needs_stream: bool,
}

macro_rules! case {
    ($module:ident :: $name:ident) => {
        Case { name: stringify!($name), run: $module::$name, differs: &[], needs_stream: false }
    };
}

/// Those that wait for seconds: they go first, so that the others run beside them.
pub(crate) const LONG: &[&str] = &[
    "term_escalates_to_kill",
    "a_taken_path_is_tried_five_times",
    "a_new_pid_path_deletes_the_old_file_even_if_the_reload_fails",
    "workers_that_cannot_enter_their_folder_are_not_replaced",
];

const DEBIAN: &str = "a Debian build, whose launcher does S4";

/// All of them.
pub(crate) const CASES: &[Case] = &[
    case!(command_line::versions_are_printed_and_nothing_is_sent),
    case!(command_line::a_test_tells_of_the_configuration_and_leaves_an_empty_pid_file),
    case!(command_line::signals_by_name_read_the_configuration_first),
    case!(command_line::words_on_the_command_line_are_refused_as_nginx_does),
    case!(start::a_daemon_has_its_pid_file_session_and_titles),
    case!(start::a_taken_path_is_tried_five_times),
    case!(start::a_signal_to_a_start_that_binds_kills_it),
    case!(start::workers_of_root_become_the_configured_user),
    case!(start::in_the_foreground_usr2_waits_for_the_parents_end),
    case!(start::without_a_level_no_notice_is_logged),
    case!(start::sockets_need_connections),
    case!(start::one_process_alone_is_a_daemon_with_a_pid_file),
    Case {
        differs: &[("1.18.0", "Debian's 1.18 has a stock launcher, as in S3")],
        ..case!(start::debians_launcher_tells_of_a_pid_file_that_it_cannot_write)
    },
    Case {
        differs: &[("1.22.1", DEBIAN), ("1.26.3", DEBIAN), ("1.30.6", DEBIAN)],
        ..case!(start::a_stock_launcher_does_not_know_whether_the_pid_file_was_written)
    },
    case!(start::workers_that_cannot_enter_their_folder_are_not_replaced),
    case!(signals::what_stands_behind_a_failed_reload_waits_for_the_next_signal),
    case!(signals::a_graceful_shutdown_waits_for_its_workers_and_hears_only_term),
    case!(signals::term_escalates_to_kill),
    case!(signals::workers_that_are_ended_behind_their_masters_back_come_back),
    case!(signals::a_killed_worker_is_replaced_each_time),
    case!(signals::usr1_reopens_logs_for_the_workers_user),
    case!(signals::quit_beats_usr2_and_two_usr2_are_one),
    case!(signals::winch_without_an_upgrade_is_remembered_by_the_next_one),
    case!(signals::hup_and_winch_together_drain_the_fresh_workers_at_the_next_signal),
    case!(reload::a_reload_replaces_workers_and_nothing_else),
    case!(reload::a_new_pid_path_deletes_the_old_file_even_if_the_reload_fails),
    case!(upgrade::an_upgrade_hands_over_the_sockets_and_can_be_repeated),
    case!(upgrade::a_start_through_path_cannot_be_upgraded),
    case!(upgrade::a_new_binary_gets_sockets_a_mask_and_hardly_an_environment),
    case!(upgrade::what_is_wrong_in_nginx_s_variable_is_told_and_survived),
    case!(upgrade::a_new_master_has_its_command_line_until_it_spawns),
    case!(upgrade::a_socket_that_is_not_configured_any_more_is_closed_and_its_path_deleted),
    case!(upgrade::while_the_new_binary_starts_signals_wait_and_hup_doubles_workers),
    case!(upgrade::quit_to_the_old_master_does_not_wait_for_the_new_one),
    case!(upgrade::the_end_of_the_new_binary_brings_the_old_one_back),
    case!(upgrade::a_killed_old_master_leaves_its_oldbin_file_and_workers),
    case!(upgrade::while_the_old_master_drains_there_is_no_way_back),
    case!(upgrade::usr2_without_a_pid_file_poisons_the_master),
    case!(upgrade::another_pid_directive_is_for_the_new_master),
    case!(upgrade::an_old_master_that_forgot_that_it_lives_orphans_its_workers),
    case!(upgrade::quit_to_the_new_master_first_leaves_a_gap),
    case!(upgrade::both_masters_look_after_their_own_workers),
    case!(drain::idle_connections_are_closed_and_silent_ones_served),
    case!(drain::a_silent_client_holds_a_worker_until_its_header_times_out),
    case!(drain::a_request_that_comes_late_is_not_answered),
    case!(drain::a_lingering_connection_keeps_a_worker),
    case!(drain::worker_shutdown_timeout_cuts_what_is_left),
    case!(drain::keepalive_min_timeout_keeps_a_connection_from_being_idle),
    case!(drain::the_last_holder_of_a_socket_resets_what_is_queued),
    case!(drain::reuseport_gives_each_worker_a_socket),
    case!(drain::a_shared_socket_wakes_one_worker),
    case!(sockets::a_lone_master_and_its_unix_path),
    case!(sockets::two_masters_and_their_unix_path),
    case!(sockets::a_unix_path_that_is_gone_is_inherited_and_unreachable),
    case!(sockets::an_ipv6_socket_is_inherited),
    Case { needs_stream: true, ..case!(sockets::a_udp_socket_is_inherited_and_left_alone_while_draining) },
    Case { needs_stream: true, ..case!(sockets::each_worker_has_a_udp_socket_with_reuseport) },
];
