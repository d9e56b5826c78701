"""How people put what they want to know: patterns by intent and by statistic."""

from collections.abc import Mapping

from agent.chat.question import Intent, Statistic

# The first that is found decides, so the special stands before the general.
INTENTS: Mapping[Intent, tuple[str, ...]] = {
    "command": (
        r"^\W*(?:please |can you |could you )*(?:resolve|acknowledge|ack|close) (?:it|this|that|all|[ia]-\d)",
        r"^\W*(?:please |can you |could you )*(?:snooze|assign) (?:it|this|that|the|all|[ia]-\d)",
        r"^\W*(?:please |can you |could you |now )*(?:silence|mute|delete|drop|disable|enable|cancel)\b",
        r"^\W*(?:please |can you |could you |now )*(?:stop|restart|buy|sell|set)\b",
        (
            r"^(?!\W*(?:how|who|when|why|what|which|did|was|were|is|are|has|have|should|does|can|could)\b)"
            r".*\b(?:acknowledge|snooze|silence|mute|resolve|close) (?:it|this|that|them|all|[ia]-\d)"
        ),
        (
            r"\b(?:ignore|disregard|forget) (?:all |any |the |your |these )*"
            r"(?:previous |prior |above |earlier )*(?:instructions?|rules|prompts?|orders)\b"
        ),
        r"\bsystem prompt\b|\byour (?:prompt|instructions)\b|\b(?:api|access|secret|private) ?keys?\b",
        r"\bpasswords?\b|\bcredentials\b",
    ),
    "clock": (r"\bwhat(?:'s| is)? (?:the )?time\b(?: is it| now|\W*$)|\bwhat (?:day|date) is\b",),
    "help": (
        r"\bwhat (?:can|do) you (?:do|answer|know|understand)\b|\bwhat can i ask\b",
        r"^\W*(?:help|hi|hello|hey)\W*$|\bhow do(?:es)? (?:this|it|the chat) work\b",
        r"\bwho are you\b",
    ),
    "thanks": (
        (
            r"^\W*(?:many )?(?:thanks?|thank you|thx|cheers)\b"
            r"(?: (?:a lot|(?:very|so) much|for \w+(?: \w+)?))?\W*$"
        ),
    ),
    "diagnose": (
        (
            r"^\W*(?:please |can you |could you |now )*(?:diagnose|investigate|re-?diagnose"
            r"|analy[sz]e|look into)\b"
        ),
        (
            r"\b(?:start|run|begin|launch) (?:a |an |the |another |new )*(?:diagnosis|investigation"
            r"|root cause)"
        ),
    ),
    "against": (
        r"\b(?:speaks?|spoke|evidence|argues?|facts?) against\b|\bcontradict\w*|\bcounter-?evidence\b",
        r"\bwhat(?:'s| is| are) against (?:it|this|that)\b|\bwhat else could (?:it|this|that) be\b",
        r"\b(?:could|might|can) (?:it|this|that) (?:also |just |still )?be\b",
        r"\bother (?:causes?|explanations?|hypothes[ei]s)\b|\brul(?:e|ed|ing) out\b|\bnot convinced\b",
        r"\b(?:are|could|might|can) (?:you|it|this|that) (?:be )?(?:wrong|mistaken)\b",
        r"\bfalse (?:alarm|positive)\b",
    ),
    "significant": (
        r"\bsignifican(?:t|ce)\b|\b[pq][ -]?values?\b|\b(?:by|just|only|pure) (?:chance|noise|luck)\b",
        r"\bis (?:it|this|that) (?:just |only )?(?:noise|random|chance|luck)\b",
    ),
    "over": (
        (
            r"\b(?:is|was|are) (?:it|this|that|the incident|i-\d+|they|things) "
            r"(?:all |already |really |finally |now )*"
            r"(?:over|done|finished|resolved|fixed|solved|gone|ended)\b"
        ),
        r"\b(?:has|have|did) (?:it|this|that|they|i-\d+) (?:end|ended|stop|stopped|clear|cleared|calmed)\b",
    ),
    "last_time": (
        (
            r"\bwhat (?:did|have) (?:we|you|they|i|people|somebody) (?:do|done|try|tried)\b"
            r"(?:.*\b(?:last time|before|then|about|against|to (?:fix|solve|stop))\b|\W*$)"
        ),
        (
            r"\bhow (?:did (?:we|they|you)|was (?:it|this|that)) (?:fix|solve|resolve|handle)d? ?.*"
            r"\b(?:last time|before|then)\b"
        ),
    ),
    "usage": (
        r"\b(?:tokens?|llm|language models?|model (?:cost|calls|spend|usage)|budget)\b",
        r"\bcost of (?:the )?(?:model|llm|ai)\b|\bspen[dt] on (?:the )?(?:model|llm|ai)\b",
    ),
    "sources": (
        r"\b(?:data )?sources?\b|\bcollectors?\b",
        r"\bdata (?:feeds?|fresh|quality|arriv\w+|stale|complete)\b",
        r"\b(?:fresh|stale|up to date|missing) data\b|\bis (?:the )?data\b",
        r"\btrust (?:the )?data\b|\bfeeds? (?:ok|fine|healthy|alive|up|down|stale)\b",
    ),
    "rules": (
        r"\brules?\b|\bwhat (?:do you|is|are you) (?:detect|monitor|watch)\w*\b|\bdetectors?\b",
        r"\bthresholds?\b",
    ),
    "similar": (
        r"\b(?:did|does|has|have) (?:this|it|that) (?:ever )?happen(?:ed)?\b",
        r"\bhappened before\b",
        r"\b(?:seen|had|see) (?:this|it|that|such|something like)\b.*\b(?:before|already|earlier)\b",
        r"\bsimilar\b|\bpast (?:incidents?|cases?)\b.*\blike\b|\brecurr\w*",
        r"\blast time (?:this|it|that)\b|\blike this before\b",
        r"\b(?:same|like|as) (?:as |the )*last time\b",
        r"\bhow often (?:has|does|did) (?:this|it|that)\b|\blast time\b",
    ),
    "actions": (
        (
            r"\bwhat (?:should|shall|can|must|could|do) (?:i|we|one|you recommend)\b(?! (?:ask|know"
            r"|lose|make|earn|have))"
        ),
        r"\brecommend\w*|\bnext steps?\b|\bwhat would you (?:do|suggest)\b",
        r"\bhow (?:do|can|should|to) (?:i |we )?(?:fix|mitigate|solve|stop|resolve|repair)\b",
        r"\bwhat to do\b|\bmitigat\w*|\bactions?\b|\bto ?do first\b|\bremed\w+|\badvice\b",
        r"\bplaybook\b|\brunbooks?\b|^\W*(?:so |and |then )*should (?:i|we)\b",
    ),
    "movers": (
        r"\bwhat (?:else |all )?changed\b(?! (?:right |just |shortly )*before)",
        r"\bmove[ds]?\b|\bmoving\b|\bmovers\b|\bcorrelat(?:ed?|es|ing)\b|\bco-?mov\w+",
        r"\bwhat else (?:changed|happened|shifted|broke)\b",
        r"\bchanged (?:together|with|at the same time|most)\b|\bwhich series changed\b",
    ),
    "logs": (
        r"\blogs?\b(?! lines)|\blogged\b|\blog (?:templates?|patterns?|messages?)\b",
        r"\berror messages?\b|\btemplates?\b|\bexceptions?\b",
        r"\b(?:new|novel|unusual|strange|odd|error|warning|bursting) log lines\b",
        r"\blog lines\b.{0,30}\b(?:new|novel|unusual|strange|odd|burst\w*|errors?|warnings?)\b",
    ),
    "events": (
        r"\bnews\b|\bheadlines?\b|\bdeploy\w*|\breleases?\b|\bconfig(?:uration)? changes?\b",
        r"\bevents?\b|\bnotices?\b|\bannounce\w*|\brolled out\b",
        r"\bchanged (?:right |just |shortly )*before\b",
    ),
    "why": (
        r"\bhow (?:sure|certain|confident) are you\b",
        r"\bwhy\b|\b(?:root )?causes?d?\b|\breasons?\b|\bhow come\b|\bexplanation\b",
        r"\bwho (?:is|was) to blame\b|\bto blame\b|\bwhat (?:made|drove|triggered|led to)\b",
        r"\bdiagnos[ei]s\b|\bbecause of what\b|\bculprit\b|\bour (?:own )?fault\b",
        (
            r"\b(?:is|was) (?:it|this|that) "
            r"(?:us|(?:the |our |their )?(?:market|venue|exchange|feed|network|own)s?)"
            r"(?: side)?(?: or\b|\W*$)"
        ),
    ),
    "compare": (
        r"\b(?:worsen|improv|deteriorat|recover)\w*",
        (
            r"^\W*(?:and |so )?(?:did|has|have|is|are)\b.*\b(?:spik|jump|drop|fall|fell|ris|rose|crash|surg"
            r"|widen|collaps|climb|dip)\w*\W*(?:today|now|lately)?\W*$"
        ),
        r"\bg(?:e|o)t(?:ten|ting)? (?:worse|better|slower|faster|higher|lower|bigger|smaller)\b",
        r"\bcompare[ds]?\b|\bcomparison\b|\bversus\b|\bvs\b|\bdifferen(?:ce|t)\b|\bsame\b",
        r"\b(?:higher|lower|better|worse|more|less|larger|smaller)\b.*\bthan\b",
        r"\bas (?:high|low|bad|good)\b|\bnormal(?:ly)?\b|\busual(?:ly)?\b|\bcompared\b",
        r"(?<!evidence )(?<!speaks )\bagainst\b",
    ),
    "inventory": (
        (
            r"\b(?:which|what|how many|list|show|all|name) (?:the |all |of the |our |other"
            r" )*(?:strateg(?:y|ies)|venues?|exchanges?|symbols?|coins?|instruments?|hosts?|machines?"
            r"|servers?|databases?|series|metrics?|pairs?)(?: (?:do|does|are|is) (?:we|you|there|i|it"
            r"|stored|recorded|known|monitored|available|on the desk|trade[ds]?|have|see)\b.*)?\W*$"
        ),
        r"\bwhat data (?:do|is|are)\b",
    ),
    "when": (
        r"\bwhen\b|\bwhat time\b|\bhow long\b|\bsince when\b|\bbeg[ai]n\b|\bat what time\b",
        r"\bstart(?:ed)? (?:at|from)\b|\bonset\b|\bduration\b",
        r"\bstill (?:going|ongoing|running|open)\b|\btimeline\b|\bchronolog\w+|\bsequence of events\b",
    ),
    "how_bad": (
        r"\b(?:did|does|has|is|was|will) (?:it|this|that|they) (?:cost|costing|lose|lost)\b",
        r"\bcost(?:ing)? us\b|\bwithout (?:it|this|that|the incident)\b",
        r"\bhow much of (?:it|this|that)\b|\b(?:share|part) of (?:it|this|that)\b|\bper hour\b",
        r"\bwould (?:we|i|they) have (?:made|earned|lost|had)\b",
        r"\bwho(?:'s|\b).*\b(?:hurt|hit|affected|suffer\w*)\b",
        (
            r"\b(?:how (?:bad|severe|serious|big|expensive)|impact|what did (?:it|this|that|i-\d+)"
            r" cost|cost (?:us|of)|did .* cost)\b"
        ),
    ),
    "list_anomalies": (
        (
            r"\b(?:list|show|give|what|which|how many|number of|count|any|are there|display|all"
            r"|recent|latest|last|open)\b.*\b(?:anomal(?:y|ies)|detections?|alerts?|flags?|alarms?)\b"
        ),
        r"^\W*(?:\w+ ){0,2}(?:anomal(?:y|ies)|detections?|alerts?|flags?|alarms?)\W*$",
        r"\b(?:anomal(?:y|ies)|detections?|alerts?|flags?|alarms?)\b.*\b(?:found|detected|open|seen)\b",
    ),
    "worst": (
        (
            r"\b(?:worst|biggest|largest|most (?:severe|serious|important|expensive|costly)|top"
            r"|gravest)\b.*\b(?:(?:incidents?|problems?|issues?|outages?|troubles?|cases?)"
            r"|(?:anomal(?:y|ies)|detections?|alerts?|flags?|alarms?)|thing)\b"
        ),
        (
            r"\bwhat (?:is|was) (?:the )?(?:worst|most (?:severe|serious|important"
            r"|urgent))\b\W*(?:right now|now|today)?\W*$"
        ),
        r"\bwhich (?:is|was|one is) (?:the )?(?:worst|most \w+)\b",
    ),
    "list_incidents": (
        (
            r"\b(?:list|show|give|what|which|how many|number of|count|any|are there|display|all"
            r"|recent|latest|last|open)\b.*\b(?:incidents?|problems?|issues?|outages?|troubles?"
            r"|cases?)\b"
        ),
        r"^\W*(?:\w+ ){0,2}(?:incidents?|problems?|issues?|outages?|troubles?|cases?)\W*$",
        r"\b(?:what|anything|something|all)(?:'s| is)? open\b",
        r"\b(?:incidents?|problems?|issues?|outages?|troubles?|cases?)\b.*\b(?:open|had|seen|there)\b",
    ),
    "what_happened": (
        r"\banything (?:broken|down|failing|off|bad|else)\b",
        (
            r"\bwhat(?:'s| is| was| has| have)? (?:happen\w*|gone wrong|went wrong|going on|going"
            r" wrong|wrong|up|broken?|new)\b"
        ),
        r"\bwhat did i miss\b|\bsummar\w+|\boverview\b",
        r"\banything (?:odd|unusual|strange|wrong|happen\w*|new|interesting|of note)\b",
        r"\bhappen(?:ed|ing)\b|\bdid anything\b|\brecap\b|\bwhat broke\b|\breport\b",
        r"\bbriefing\b",
    ),
    "status": (
        r"\bis (?:the )?\w+ (?:ok|okay|fine|healthy|up|down|alive)\b",
        r"\bstatus\b",
        r"\b(?:is|are) (?:everything|all|anything|something|things?|the desk|we|it all)\b",
        r"\bhow (?:are|is) (?:things|everything|it|the desk|we)\b|\bstate of\b",
        r"\beverything (?:ok|okay|fine|good|normal)\b",
        r"\ball (?:good|ok|okay|clear|fine|quiet)\b|\bhealth\w*\b",
        r"\bcan (?:i|we) (?:go home|relax|sleep|leave|log off)\b",
    ),
    "explain": (
        r"\bexplain\b|\btell me (?:more )?about\b|\bdetails?\b|\bdescribe\b|\bevidence\b",
        r"\bproof\b|\bhow do you know\b|\bhypothes[ei]s\b|\balternatives?\b",
        r"\bwhat is (?:a|i|d)-\d|\bmore about\b",
    ),
}

STATISTICS: Mapping[Statistic, tuple[str, ...]] = {
    "p99": (r"\bp99\b|\b99th percentile\b",),
    "p95": (r"\bp95\b|\b95th percentile\b|\bpercentile\b",),
    "median": (r"\bmedian\b|\btypical\w*",),
    "mean": (r"\baverage\b|\bmean\b|\bavg\b|\bon average\b",),
    "max": (
        r"\bmax(?:imum|imal)?\b|\bpeak(?:ed)?\b|\bhighest\b|\blargest\b|\bbiggest\b|\bmost\b",
        r"\btop\b|\bworst\b|\bslowest\b|\bhow high\b|\bspike\b",
    ),
    "min": (
        r"\bmin(?:imum|imal)?\b|\blowest\b|\bsmallest\b|\bleast\b|\bfewest\b|\bfastest\b",
        r"\bhow low\b|\bdip\b",
    ),
    "sum": (r"\btotal\b|\bsum\b|\baltogether\b|\bcumulative\b|\boverall\b|\bhow many\b",),
    "std": (r"\bstandard deviation\b|\bstd(?:dev)?\b|\bvaria(?:nce|bility)\b",),
    "last": (r"\b(?:right )?now\b|\bcurrent(?:ly)?\b|\blatest\b|\blast value\b|\bat the moment\b",),
}
