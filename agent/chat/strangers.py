"""Words that stand where a name would and name nothing known: better admitted than answered around."""

import re

_TOKEN = re.compile(r"[a-z0-9_][a-z0-9_.:-]*[a-z0-9_]|[a-z0-9]")
_PLACES = frozenset(
    [
        "on",
        "of",
        "for",
        "at",
        "in",
        "about",
        "strategy",
        "venue",
        "exchange",
        "symbol",
        "host",
        "coin",
        "metric",
        "series",
        "called",
        "named",
        "does",
        "did",
    ]
)
_ARTICLES = frozenset({"the", "a", "an", "our", "my", "your"})
# Words of questions that are no names.
_WORDS = """
    significant significance timeline chronology sequence chance noise random luck false positive relax sleep
    share part convinced wrong mistaken contradict contradicts over finished fixed solved gone tried ignore
    instructions prompt whole entire spike spiked surge surged widen widened collapse collapsed recommend
    gateway gateways suffer suffers suffering hurt hurts worsen worsened improve improved recovered recover
    help
    a about above acknowledged across act acted action actions active actual actually advice affect
    affected affects after again against age ago alarm alarms alert alerts algo algos all along already
    also alternative alternatives altogether always am among amount an analyse analysis analyze and
    annotations announced announcement announcements anomalies anomaly another answer any anyone
    anything are around as ask asset assets assigned at average avg back bad band based be became
    because become been before began begin behavior behaviour being below best better between big bigger
    biggest blame blip blips board book books both bps break breakdown breaks briefing broke broken
    budget but buy by call called calls came can cancel cancelled case cases cause caused causes change
    changed changes check checks clear close closed coin coins collector collectors come compare
    compared compares comparison component components concern concerning concerns confidence confident
    config configuration correct correlate correlated correlates correlation cost costs could count
    critical culprit current currently d data database databases day days decrease decreased deploy
    deployed deployment deployments deploys describe desk detail details detect detected detection
    detections detector detectors deviate deviation diagnose diagnosed diagnoses diagnosis did differ
    difference different dip dipped dips display do does doing dollar dollars done down drop dropped
    drove due duration during each earlier early earn earned else end ended error errors even event
    events ever every everything evidence evidences exactly exceed exceeded exception exceptions
    exchange exchanges execute executed exist expected expensive explain explained explanation fail
    failed failing fallen far fast faster fastest feed feeds fell few fewer fewest figure figures fill
    find fine first fix flag flagged flags follow for found fresh from full further gain gained get give
    given go goes going gone good got great group had happen happened happening happens has have having
    headline headlines health healthy held hello help her here hey hi high higher highest highs him his
    history hit hold host hosts hour hours how hypotheses hypothesis i if impact important in incident
    incidents including increase increased info information instead instrument instruments interesting
    into investigate investigation involved is issue issues it its job jump jumped jumps just keep kind
    kinds know known large larger largest last lately later latest launch lead leads least led left less
    let level like likely list little ll llm log logged logs long longer look looks lose loser losers
    losing lost lot low lower lowest lows m machine machines made main major make makes making many
    market markets matter max maximum may me mean meaning means measure median message messages metric
    metrics might min mine minimum minute minutes miss missing mitigate model models moment money
    monitor monitored month more most mostly move moved movers moves moving ms much must my name named
    names near need needs new news next night no node nodes none normal normally not note notice notices
    notifications now number numbers observed odd of off often ok okay on once one ones ongoing only
    onset open or order other others our out outage outages over overall overnight overview own paid
    pair pairs part parts past pattern patterns pay peak peaked people per percent percentile
    percentiles perform performance performed performing place placed playbook please pm point points
    possible previous price probability probable problem problems profitability proof quick quickly
    quiet quit quite range rank ranking rate rather ratio re reach reached read really reason reasons
    recap recent recently recommend recommendation recommendations recommended record recorded recur
    recurred recurring related release released releases remain remedies remedy replay report reports
    resolve resolved result return right rise risen risk root rose rule rules run runbook runbooks
    running runs s same say second seconds see seem seems seen sell send sent series serious server
    servers service services severe severity shall she shift shifted should show shows side similar
    since single size slow slower slowest small smaller smallest snoozed so some something sorry source
    sources spend spent spike spiked split stale standard start started starts state statistics stats
    status stay stayed std step steps still stop stopped stopping stored story strange strategies
    strategy such suffer suffered sum summarise summarize summary sure swing symbol symbols system t
    take tell template templates than thank thanks that the their them then there these they thing
    things think this those though threshold thresholds through time times to today together token
    tokens told too took top total trade traded trader traders trades trading trend trigger triggered
    trouble troubles true trust try two type typical typically under understand unit unknown until
    unusual up update updates upon urgent us usage usd use used useful usual usually utc value values
    variability variance ve venue venues versus very vs want was watch watched way we week weeks well
    went were what what's when where whether which while who whole whom whose why will win with within
    without won word words work working works worse worst would wrong year yes yet you your zero
"""
_KNOWN = frozenset(_WORDS.split())


def strangers_in(rest: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The unknown words of a question that are used as names, and all its unknown words.

    Args:
        rest: the question in lower case without the times, metrics and labels that were recognised.
    """
    names, unknown = [], []
    before = ""
    for match in _TOKEN.finditer(rest):
        word = match[0].removesuffix("'s")
        if word not in _KNOWN and not re.fullmatch(r"[\d.:,-]+|p\d\d", word):
            unknown.append(word)
            if re.search(r"[_:\d]", word) or before in _PLACES:
                names.append(word)
        before = before if word in _ARTICLES else word
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(unknown))
