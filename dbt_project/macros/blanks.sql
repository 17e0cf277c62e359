{#- Blanks: spaces, tabs and line ends, those of word processors, and those that are not seen (orchestration/take_in/typed.py, BLANK). Inside [ ]. -#}
{% macro blank() -%}
    \x09-\x0d\x1c-\x20\x{85}\x{a0}\x{1680}\x{180e}\x{2000}-\x{200d}\x{2028}\x{2029}\x{202f}\x{205f}\x{2060}\x{3000}\x{feff}
{%- endmacro %}

{#- A text that is there and is not all blanks. Most begin with a letter or a digit, and need no look at the rest. -#}
{% macro says_something(text) -%}
    case when ascii({{ text }}) between 48 and 122 then true else coalesce(regexp_matches({{ text }}, '[^{{ blank() }}]'), false) end
{%- endmacro %}

{#- A code as rules write it: in capitals, without the blanks that an export puts around it. -#}
{% macro as_code(text) -%}
    case
        when regexp_matches({{ text }}, '^[{{ blank() }}]|[{{ blank() }}]$') then upper(regexp_replace({{ text }}, '^[{{ blank() }}]+|[{{ blank() }}]+$', '', 'g'))
        else upper({{ text }})
    end
{%- endmacro %}

{#- A procedure code as_code, without the modifiers that an export puts behind it (`99490-25`): of a claim's month it is the same service. -#}
{% macro without_modifiers(code) -%}
    case when regexp_matches({{ code }}, '^[0-9A-Z]{5}([{{ blank() }}:,-]+[0-9A-Z]{2})+$') then left({{ code }}, 5) else {{ code }} end
{%- endmacro %}
